"""Verbs that prepare what a training is fed with: shard."""

from pathlib import Path
from typing import Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import Seed, Source


def shard(
    data: Source,
    *,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the shards go; a folder of its own.")],
    side: Annotated[
        int, typer.Option(min=1, help="Pixels of the short side that larger pictures are resized to.")
    ] = 256,
    megabytes: Annotated[int, typer.Option(min=1, help="Size of a shard, from where the next one begins.")] = 100,
    seed: Seed = 0,
) -> Answer:
    """Check a data set and write it as WebDataset tar files, which are read faster than many small files.

    Train on them as on any data: give the folder.
    """
    from mobilevision.data.check import check
    from mobilevision.data.sharding import shard as write

    found = check(data, seed=seed)
    index = write(found, to, side=side, largest=megabytes * 1_000_000)
    aside = [{"file": found.name(each.file), "reason": each.reason} for each in found.set_aside]
    facts = {"folder": str(to), **index, "set_aside": aside}
    lines = [
        f"{each['url']:<24} {each['nsamples']:>9,} pictures {each['filesize'] / 1e6:9.1f} MB"
        for each in index["shardlist"]
    ]
    lines += [f"set aside {each['file']}: {each['reason']}" for each in aside]
    return Answer(facts, "\n".join([*lines, f"the shards are in {to}; train on them with: mobilevision train {to}"]))
