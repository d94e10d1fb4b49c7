"""The verb that times: bench, here or on a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import RunOrFile, Threads
from mobilevision.errors import UsageError

SLOWEST = 20
"""Operators that are printed; the facts have them all."""


def bench(
    source: RunOrFile,
    *,
    threads: Threads = "1",
    runs: Annotated[int, typer.Option(min=50, help="Timed runs, after a warm-up.")] = 50,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Time FILE in turns with the first, and tell their ratio.")
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Time every operator, beside the least this machine could need for it.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(metavar="adb:SERIAL|ssh:HOST", help="Time on a connected Android phone, or on a board."),
    ] = None,
    tool: Annotated[
        Path | None, typer.Option(metavar="FILE", help="LiteRT's benchmark_model for the phone, with --device adb:.")
    ] = None,
) -> Answer:
    """Time an exported file, or every file of a run: a picture's whole way, memory, energy; with intervals."""
    from mobilevision.timing import device as elsewhere
    from mobilevision.timing.clock import files_of, threads_here, threads_named

    if device is not None:
        if against or layers:
            raise UsageError(f"--device {device} times one file at a time; leave out --against and --layers")
        told = elsewhere.bench(source, device, threads=threads_named(threads), runs=runs, tool=tool)
        return Answer([each.facts() for each in told], "\n".join(each.words() for each in told))
    count = threads_here(threads)
    if against is not None:
        return _compared(files_of(source), against, threads=count, runs=runs)
    return _layered(files_of(source), count, runs) if layers else _timed(source, count, runs)


def _timed(source: Path, threads: int, runs: int) -> Answer:
    from mobilevision.timing.clock import bench_all, files_of

    facts = [timing.facts() for timing in bench_all(files_of(source), threads=threads, runs=runs)]
    return Answer(facts, "\n".join(map(told_timing, facts)))


def _compared(files: list[Any], against: Path, *, threads: int, runs: int) -> Answer:
    from mobilevision.timing import compare

    facts = [compare(file, against, threads=threads, runs=runs).facts() for file in files]
    return Answer(facts, "\n".join(map(told_comparison, facts)))


def _layered(files: list[Any], threads: int, runs: int) -> Answer:
    from mobilevision.timing import break_down

    facts = [break_down(file, threads=threads, runs=runs).facts() for file in files]
    return Answer(facts, "\n\n".join(map(told_layers, facts)))


def told_timing(timing: Mapping[str, Any]) -> str:
    """A time in words: the file in its runtime, and a picture's whole way."""
    stages, energy = timing["stages"], timing["energy_mj"]
    joules = f"{energy:.1f} mJ a run" if energy is not None else f"energy unknown: {timing['energy_note']}"
    return (
        f"{timing['file']:<44} {timing['median_ms']:.2f} ms ({timing['low_ms']:.2f} to {timing['high_ms']:.2f}; "
        f"p10 {timing['p10_ms']:.2f}, p90 {timing['p90_ms']:.2f})  "
        f"{timing['runs']} runs, threads {timing['threads']}, {timing['runtime']}, {timing['machine']}\n"
        f"  {stages['picture']}: read and prepared {stages['pre_ms']:.2f} ms, run {stages['inference_ms']:.2f}, told "
        f"{stages['post_ms']:.2f}, whole {stages['whole_ms']:.2f}: {stages['fps']:.1f} pictures a second\n"
        f"  {timing['peak_mb']:.0f} MB of memory at most, {joules}"
    )


def told_comparison(facts: Mapping[str, Any]) -> str:
    """Two files' times in words."""
    low, high = facts["low"], facts["high"]
    verdict = "faster" if high < 1 else "slower" if low > 1 else "not surely different"
    return (
        f"{facts['file']} {facts['median_ms']:.2f} ms / {facts['against']} {facts['against_ms']:.2f} ms = "
        f"{facts['ratio']:.3f} ({low:.3f} to {high:.3f}, 95 %): {verdict}\n"
        f"  {facts['runs']} runs of each, alternating by {facts['alternating']}, threads {facts['threads']}, "
        f"{' and '.join(dict.fromkeys(facts['runtimes']))}, {facts['machine']}"
    )


def told_layers(facts: Mapping[str, Any]) -> str:
    """Where a file's time goes, the slowest operators first."""
    whole, machine, rows = facts["whole"], facts["machine"], facts["layers"]
    slowest = sorted(rows, key=lambda row: row["ms"], reverse=True)[:SLOWEST]
    speeds = ", ".join(f"{area >> 10} kB {speed:.0f}" for area, speed in machine["bandwidth"])
    lines = [
        f"{facts['file']}: {whole['ms']:.3f} ms in {len(rows)} operators; at best {whole['bound_ms']:.3f} ms, "
        f"so {whole['achieved']:.0%} of what is possible ({facts['how']}, threads {facts['threads']})",
        f"  at best here: {2 * machine['gmacs']:.0f} GFLOP/s in float32, {2 * machine['gmacs_int8']:.0f} GOP/s in "
        f"int8; GB/s by area: {speeds} ({machine['how']})",
        f"  {'ms':>8} {'share':>6} {'MACs':>12} {'kB':>8}  {'bound':<8} {'achieved':>8}  operator",
    ]
    for row in slowest:
        share = row["ms"] / whole["ms"] if whole["ms"] else 0.0
        achieved = f"{row['achieved']:.0%}" if row["bound"] else "unknown"
        lines.append(
            f"  {row['ms']:8.4f} {share:6.1%} {row['macs']:12,} {row['bytes'] / 1e3:8.1f}  {row['bound']:<8} "
            f"{achieved:>8}  {row['operator']} {row['name']}"
        )
    if len(rows) > len(slowest):
        lines.append(f"  and {len(rows) - len(slowest)} more (--json has them all)")
    return "\n".join(lines)
