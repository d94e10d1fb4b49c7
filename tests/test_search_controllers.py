"""Rewards, and the searches that only ask what a network earns."""

import json
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Conv
from mobilevision.errors import InputError, UsageError
from mobilevision.search import spaces
from mobilevision.search.baselines import completed, evolution, mutated, random_search
from mobilevision.search.mnasnet import PPO, Controller, mnasnet_search
from mobilevision.search.policy import Policy, Rate
from mobilevision.search.reward import Absolute, Hard, Reward, Soft
from mobilevision.search.space import Pick, Space, choose, largest, sample

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import search_controllers

SPACE: Space = partial(spaces.v3_like, size=32, depth=2)
STEADY = Rate(300, start=0.1, growth=1, quiet=0)


def two(pick: Pick) -> Arch:
    """Two blocks; the second is there only if wanted."""
    depth = pick("1.depth", (1, 2))
    blocks = tuple(UIB(8, start=pick(f"1.{j}.start", (0, 3, 5)), middle=3) for j in range(depth))
    return Arch("two", ((Conv(8, 2),), blocks), size=16)


def starts(arch: Arch) -> float:
    """How many blocks have no first filter."""
    return float(sum(block.start == 0 for _, block in arch.places() if isinstance(block, UIB)))


def all_starts(archs: Sequence[Arch]) -> list[float]:
    """The same of several networks."""
    return [starts(arch) for arch in archs]


def test_the_absolute_reward_is_highest_at_its_target() -> None:
    reward = Absolute((5.0,))

    assert reward.beta == -0.10
    assert reward(0.7, [5.0]) == 0.7
    assert reward(0.7, [4.0]) == reward(0.7, [6.0]) == pytest.approx(0.7 - 0.10 * 0.2)


def test_a_doubled_latency_costs_five_percent_of_accuracy() -> None:
    assert Soft((5.0,))(0.7, [10.0]) == pytest.approx(0.7 * 0.95, rel=0.003)  # 2 ** -0.07 = 0.953
    assert Soft((5.0,), power=-0.15)(0.7, [10.0]) == pytest.approx(0.7 * 2**-0.15)
    assert Soft((5.0,))(0.7, [2.5]) > 0.7


def test_a_hard_target_that_is_met_earns_nothing_more() -> None:
    assert Hard((5.0,))(0.7, [2.0]) == Hard((5.0,))(0.7, [5.0]) == 0.7
    assert Hard((5.0,))(0.7, [10.0]) == pytest.approx(0.35)
    assert Hard((5.0,), power=-0.1)(0.7, [10.0]) == pytest.approx(0.7 * 2**-0.1)


def test_several_costs_count_at_once() -> None:
    assert Absolute((5.0, 100.0))(0.7, [6.0, 80.0]) == pytest.approx(0.7 - 0.10 * 0.4)
    assert Soft((5.0, 100.0))(0.7, [10.0, 200.0]) == pytest.approx(0.7 * 2**-0.14)
    assert Hard((5.0, 100.0))(0.7, [10.0, 50.0]) == pytest.approx(0.35)


@pytest.mark.parametrize("kind", [Absolute, Soft, Hard])
def test_rewards_refuse_what_makes_no_sense(kind: type[Absolute]) -> None:
    with pytest.raises(UsageError, match="positive"):
        kind((0.0,))
    with pytest.raises(UsageError, match="negative"):
        kind((5.0,), 0.1)
    with pytest.raises(UsageError, match="one target for each cost"):
        kind((5.0,))(0.7, [1.0, 2.0])


def test_the_learning_rate_rests_and_then_grows_tenfold() -> None:
    rate = Rate(1000)

    assert [rate(step) for step in (0, 249)] == [0.0, 0.0]
    assert rate(250) == 3e-4
    assert rate(625) == pytest.approx(3e-4 * 10**0.5)
    assert rate(1000) == pytest.approx(3e-3)


def test_a_policy_starts_with_every_option_alike() -> None:
    assert Policy(Rate(10)).probabilities("any", 4) == [0.25] * 4


def test_a_resting_policy_learns_its_baseline_alone() -> None:
    policy, rng = Policy(Rate(100)), random.Random(0)
    for reward in (1.0, 3.0):
        policy.learn([(policy.sample(two, rng), reward)])

    assert policy.baseline == pytest.approx(0.95 * 1.0 + 0.05 * 3.0)
    assert policy.probabilities("1.0.start", 3) == [1 / 3] * 3


def test_a_step_is_adams_without_a_first_moment() -> None:
    policy, drawn = Policy(STEADY), largest(two)
    logits = torch.zeros(3, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=0.1, betas=(0.0, 0.999), eps=1e-8)
    baseline = None
    for reward in (1.0, 0.2, 3.0, 0.5):
        baseline = reward if baseline is None else baseline
        adam.zero_grad()
        (-(reward - baseline) * logits.log_softmax(0)[2]).backward()
        adam.step()
        baseline = 0.95 * baseline + 0.05 * reward
        policy.learn([(drawn, reward)])

    assert policy.probabilities("1.0.start", 3) == pytest.approx(logits.softmax(0).tolist())


def test_decisions_that_were_not_asked_do_not_move() -> None:
    policy = Policy(STEADY)
    short = choose(two, lambda name, options: 0)
    for reward in (1.0, 2.0, 5.0):
        policy.learn([(short, reward)])

    assert policy.probabilities("1.1.start", 3) == [1 / 3] * 3
    assert policy.probabilities("1.0.start", 3)[0] > 0.4


def test_a_policy_finds_what_earns_reward() -> None:
    policy, rng = Policy(STEADY), random.Random(0)
    for _ in range(300):
        drawn = policy.sample(two, rng)
        policy.learn([(drawn, starts(drawn.arch))])

    assert starts(policy.best(two).arch) == 2


def test_a_policy_goes_on_from_its_state() -> None:
    def learned(policy: Policy, rng: random.Random, steps: int) -> Policy:
        for _ in range(steps):
            drawn = policy.sample(two, rng)
            policy.learn([(drawn, starts(drawn.arch))])
        return policy

    whole_rng, rng = random.Random(0), random.Random(0)
    whole = learned(Policy(STEADY), whole_rng, 40)
    first = learned(Policy(STEADY), rng, 20)
    second = Policy(STEADY)
    second.restore_(json.loads(json.dumps(first.state())))

    assert learned(second, rng, 20).state() == whole.state()


def test_a_state_that_lacks_something_is_refused() -> None:
    with pytest.raises(InputError, match="lacks 'baseline'"):
        Policy(STEADY).restore_({"step": 3})


def test_a_mutation_changes_one_decision_and_what_it_makes_new() -> None:
    rng = random.Random(0)
    for _ in range(30):
        before = sample(SPACE, rng)
        after = mutated(SPACE, before.choices, rng)
        changed = {name for name, index in before.choices.items() if after.choices.get(name, index) != index}
        appeared = after.choices.keys() - before.choices.keys()
        assert len(changed) == 1
        assert not appeared or changed.pop().endswith("depth")


def test_choices_that_are_missing_are_drawn() -> None:
    drawn = completed(two, {"1.depth": 1, "1.0.start": 2}, random.Random(0))

    assert (drawn.choices["1.depth"], drawn.choices["1.0.start"]) == (1, 2)
    assert "1.1.start" in drawn.choices


def test_evolution_and_random_search_try_as_many_as_they_are_asked() -> None:
    for trials in (5, 40):
        assert len(
            list(evolution(two, all_starts, trials=trials, rng=random.Random(0), population=10, tournament=3))
        ) == (trials)
        assert len(list(random_search(two, all_starts, trials=trials, rng=random.Random(0)))) == trials


def test_evolution_refuses_a_tournament_larger_than_its_population() -> None:
    with pytest.raises(UsageError, match="tournament of 9"):
        next(evolution(two, all_starts, trials=3, rng=random.Random(0), population=8, tournament=9))


def test_a_space_of_one_point_cannot_be_mutated() -> None:
    with pytest.raises(UsageError, match="one point alone"):
        mutated(lambda pick: Arch("one", ((Conv(8),),)), {}, random.Random(0))


def test_the_recurrent_controller_starts_with_every_option_alike() -> None:
    controller, drawn = Controller(two), largest(two)
    logs, entropies = controller.score(drawn.sizes, torch.tensor([list(drawn.choices.values())]))

    torch.testing.assert_close(logs, torch.tensor([[1 / size for size in drawn.sizes.values()]]).log())
    torch.testing.assert_close(entropies, -logs)


def test_the_recurrent_controller_finds_what_earns_reward_in_a_conditional_space() -> None:
    trials = list(mnasnet_search(two, all_starts, trials=300, seed=0, ppo=PPO(batch=20, rate=0.02)))

    assert len(trials) == 300
    assert sum(trial.reward for trial in trials[-40:]) / 40 > 1.6


def test_the_recurrent_search_is_the_same_for_the_same_seed() -> None:
    first, second = (list(mnasnet_search(two, all_starts, trials=50, seed=3)) for _ in range(2))

    assert first == second


def test_the_synthetic_reward_knows_its_best_and_its_worst_network() -> None:
    score = search_controllers.synthetic(0)
    rewards = score([sample(search_controllers.SPACE, random.Random(i)).arch for i in range(200)])
    climbed = max(
        trial.reward for trial in evolution(search_controllers.SPACE, score, trials=2000, rng=random.Random(0))
    )

    assert 0 < min(rewards) < max(rewards) < climbed <= 1 + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TuNAS policy", "MnasNet controller", "evolution"])
def test_a_controller_comes_within_one_percent_of_the_best_in_three_thousand_samples(name: str) -> None:
    reached = search_controllers.results(search_controllers.CONTROLLERS[name])

    assert sum(reward >= search_controllers.CLOSE for reward in reached) >= 4


@pytest.mark.slow
def test_random_search_misses_the_best_network_in_three_thousand_samples() -> None:
    reached = search_controllers.results(search_controllers.at_random)

    assert sum(reward < search_controllers.CLOSE for reward in reached) >= 4


def test_rewards_are_interchangeable() -> None:
    rewards: list[Reward] = [Absolute((5.0,)), Soft((5.0,)), Hard((5.0,))]

    assert len({reward(0.7, [5.0]) for reward in rewards}) == 1
