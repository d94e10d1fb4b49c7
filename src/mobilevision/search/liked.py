"""What a search has liked: for every decision, its options and how much each was wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mobilevision.search.baselines import Trial
from mobilevision.search.policy import Policy
from mobilevision.search.space import Choices, Record, Space

Shares = Callable[[str, int], Sequence[float]]
"""(decision, number of options) -> how much each option was wanted; they add up to 1."""


def liked_by_policy(policy: Policy, space: Space, choices: Choices) -> dict[str, Any]:
    """The probabilities that a policy ends with, along the network of `choices`."""
    return {"by": "the policy's probabilities", "decisions": decisions(space, choices, policy.probabilities)}


def liked_by_trials(trials: Sequence[Trial], space: Space, choices: Choices) -> dict[str, Any]:
    """How often the best quarter of all trials took every option, along the network of `choices`."""
    best = sorted(trials, key=lambda trial: -trial.reward)[: max(1, len(trials) // 4)]

    def shares(name: str, options: int) -> list[float]:
        taken = [trial.choices[name] for trial in best if trial.choices.get(name, options) < options]
        return [taken.count(i) / max(1, len(taken)) for i in range(options)]

    return {
        "by": f"the choices of the best {len(best)} of {len(trials)}",
        "decisions": decisions(space, choices, shares),
    }


def decisions(space: Space, choices: Choices, shares: Shares) -> list[dict[str, Any]]:
    """Every open decision on the way to the network of `choices`, as plain JSON.

    Returns:
        "name" of the decision, its "options" in words, the "shares" of each, and which was "chosen".
    """
    record = Record(lambda name, _: choices[name])
    space(record)
    return [
        {
            "name": name,
            "options": [_word(option) for option in options],
            "shares": [float(share) for share in shares(name, len(options))],
            "chosen": choices[name],
        }
        for name, options in record.options.items()
        if len(options) > 1
    ]


def _word(option: Any) -> str:
    if option is None or option == "":
        return "none"
    if isinstance(option, bool):
        return "yes" if option else "no"
    return f"{option:g}" if isinstance(option, int | float) else str(option)
