"""What verbs found out, in words for people; all from plain facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mobilevision.tasks.figures import NAMES, headline, share_of, told_beside

SHOWN = 5  # files set aside, or classes, that are shown; the facts have them all


def told_data(facts: Mapping[str, Any]) -> str:
    """What a check found."""
    pictures = facts["pictures"]
    classes = f"{len(facts['labels'])} classes" + (", several to a picture" if facts.get("multilabel") else "")
    aside = facts["set_aside"]
    lines = [
        f"{facts['source']}: {classes}; {_splits(pictures)}",
        *(
            f"  {label:<24} " + _splits({split: counts[label] for split, counts in facts["counts"].items()})
            for label in facts["labels"][:SHOWN]
        ),
        *([f"  and {len(facts['labels']) - SHOWN} classes more"] if len(facts["labels"]) > SHOWN else []),
        f"{len(aside)} files set aside",
        *(f"  {each['file']}: {each['reason']}" for each in aside[:SHOWN]),
        *([f"  and {len(aside) - SHOWN} more (--json has them all)"] if len(aside) > SHOWN else []),
        *(f"warning: {warning}" for warning in facts["warnings"]),
    ]
    return "\n".join(lines)


def told_metrics(metrics: Mapping[str, Any]) -> str:
    """How good something is."""
    rows = [(row, share_of(row)) for row in metrics.get("per_class", ())]
    there = sorted(((row, share) for row, share in rows if share is not None), key=lambda pair: pair[1])
    loss = f", loss {metrics['loss']:.4f}" if "loss" in metrics else ""
    return "\n".join(
        [
            f"{headline(metrics)}{loss} on {metrics['count']:,} pictures ({metrics['split']})",
            *(f"  {row['label']:<24} {share:7.1%} of {row['count']:,}" for row, share in there),
            *(f"  {row['label']:<24}    none" for row, share in rows if share is None),
            *(f"beside it, {line}" for line in told_beside(metrics)),
        ]
    )


def told_explained(metrics: Mapping[str, Any]) -> Iterator[str]:
    """How sure a network may be, in a line; none if that was not asked."""
    if found := metrics.get("explain"):
        facts = found["calibration"]
        before, after = facts["before"], facts["after"]
        yield (
            f"calibration error {before['ece']:.1%}, loss {before['nll']:.4f}; with temperature "
            f"{facts['temperature']:.3g} of the {facts['fitted_on']} pictures {after['ece']:.1%} and {after['nll']:.4f}"
        )
        yield f"looked at {len(found['mistakes'])} mistakes: see the report"


def told_robust(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The accuracy on spoiled pictures, a line for each damage; none if that was not asked."""
    for damage in metrics.get("robust", {}).get("damages", ()):
        levels = ", ".join(
            f"{one['strength']} {one['top1']:.1%} ({one['low']:.1%} to {one['high']:.1%})" for one in damage["levels"]
        )
        yield f"  {damage['name']:<24} {levels}"


def told_file(facts: Mapping[str, Any]) -> str:
    """An exported file: size, time, accuracy, parity, what its delegate takes, and below what is left to do."""
    proof, timing = facts["proof"], facts.get("timing")
    time = f"{timing['median_ms']:.2f} ms  " if timing else ""
    return (
        f"{facts['file']:<44} {facts['bytes'] / 1e6:6.2f} MB  {time}{_told_loss(proof)}, {proof['pictures']} pictures"
        f"{_told_wide(proof)}{_told_coverage(facts.get('coverage'))}"
        + (f"\n  {facts['remains']}" if facts.get("remains") else "")
    )


def _told_loss(proof: Mapping[str, Any]) -> str:
    """What a file lost of its accuracy, and unless it is in 8 bits, how far its scores are from torch's."""
    if "figure" in proof:
        lost = f"{NAMES[proof['figure']]} {proof['value']:.1%}, torch {proof['value_torch']:.1%}"
        apart = f"differs by {proof['largest_difference']:.1e}" if "largest_difference" in proof else ""
        return ", ".join(filter(None, (f"{lost} (may lose {proof['limit']:g} points)", apart)))
    agree = f"{proof['agreement']:.0%} agree"
    known = proof.get("accuracy") is not None
    right = f"{proof['accuracy']:.1%} right, torch {proof['accuracy_torch']:.1%}" if known else ""
    if "calibration" in proof:
        return f"{right} (may lose {proof['limit']:g} points), {agree}"
    differs = f"differs by {proof['largest_difference']:.1e} (limit {proof['limit']:.0e}), {agree}"
    return f"{right}, {differs}" if right else differs


def _told_wide(proof: Mapping[str, Any]) -> str:
    """The layers that stay in float32 in a file of 8 bits; "" where there are none."""
    return f"; in float32: {', '.join(proof['wide'])}" if proof.get("wide") else ""


def _told_coverage(coverage: Mapping[str, Any] | None) -> str:
    """What a delegate takes; "" where there is none."""
    if not coverage or not coverage["delegate"]:
        return ""
    pieces = f"{coverage['pieces']} piece{'s' if coverage['pieces'] != 1 else ''}"
    outside = ", ".join(f"{name} ({count})" for name, count in coverage["outside"].items())
    told = f"; {coverage['delegate']} takes {coverage['inside']:.0%} of the MACs in {pieces}"
    return told + (f", outside: {outside}" if outside else "")


def told_run(facts: Mapping[str, Any]) -> str:
    """What a run has come to."""
    data, metrics = facts["data"], facts["metrics"]
    lines = [
        f"run      {facts['run']}",
        f"data     {data['source']}: {len(data['labels'])} classes; {_splits(data['pictures'])}; "
        f"{len(data['set_aside'])} files set aside",
        f"network  {facts['arch']}, {facts['params'] / 1e6:.2f} M parameters, recipe {facts['recipe']}",
    ]
    if metrics:
        lines.append(f"scores   {headline(metrics)} on {metrics['count']:,} {metrics['split']} pictures")
        lines += [f"beside   {line}" for line in told_beside(metrics)]
    lines += [f"file     {told_file(file)}" for file in facts["files"]]
    if facts["report"]:
        lines.append(f"report   {facts['report']}")
    return "\n".join(lines)


def _splits(pictures: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in pictures.items() if count)
