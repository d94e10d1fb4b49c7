"""Verbs that prepare what a training is fed with: shard, distill prepare."""

from pathlib import Path
from typing import Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import Seed, Source, TeacherWeights, Temperature
from mobilevision.errors import UsageError


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


def distill_prepare(
    data: Source,
    *,
    teacher: Annotated[str, typer.Option(metavar="RUN|FILE|ARCH|timm:NAME", help="Who is asked; of DATA's classes.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the shards go; a folder of its own.")],
    form: Annotated[
        str, typer.Option("--as", help="D1 (RandAugment), D2 (mixed pairs) or D3 (other pictures).")
    ] = "D1",
    views: Annotated[int, typer.Option(min=1, help="Replicas of each picture.")] = 10,
    size: Annotated[int, typer.Option(min=8, help="Side of a replica in pixels: what the student trains at.")] = 224,
    pictures: Annotated[Path | None, typer.Option(metavar="FOLDER", help="For D3: pictures without labels.")] = None,
    teacher_weights: TeacherWeights = None,
    temperature: Temperature = 1.0,
    seed: Seed = 0,
) -> Answer:
    """Write varied replicas of pictures with what a teacher says of them (arXiv:2404.10518, section 8).

    Students learn from them without the teacher: mobilevision train DATA --distilled FOLDER:1,FOLDER:2
    """
    from mobilevision.compress.replicas import find_form, prepare
    from mobilevision.compress.teacher import open_teacher
    from mobilevision.data.check import check

    kind = find_form(form)
    if kind.labelled != (pictures is None):
        raise UsageError(
            f"{form} varies the pictures of DATA; leave --pictures out"
            if kind.labelled
            else f"{form} takes other pictures; give a folder of them with --pictures"
        )
    found = check(data, seed=seed)
    index = prepare(
        pictures or found,
        open_teacher(teacher, labels=found.labels, weights=teacher_weights),
        to=to,
        form=kind,
        views=views,
        size=size,
        labels=found.labels,
        temperature=temperature,
        seed=seed,
    )
    count = sum(each["nsamples"] for each in index["shardlist"])
    return Answer(
        {"folder": str(to), **index},
        f"{count:,} replicas are in {to}; train on them with: mobilevision train {data} --distilled {to}:1",
    )
