"""Verbs that find pictures by their likeness: index, find."""

from pathlib import Path
from typing import Annotated

import typer

from mobilevision.cli.answer import Answer

Embedder = typer.Option("--run", metavar="RUN|FILE", help="A run of the task embed, or a file exported from one.")


def index(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures that are to be found.")],
    *,
    run: Annotated[Path, Embedder],
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The index to write; default: index.safetensors in the run.")
    ] = None,
) -> Answer:
    """Write the vectors of a folder's pictures into an index that find looks in."""
    from mobilevision.deploy.indexing import index as write
    from mobilevision.tasks.index import Index

    path = write(folder, run=run, to=to)
    made = Index.open(path)
    facts = {"index": str(path), "pictures": len(made), "weights_sha256": made.weights_sha256}
    return Answer(facts, f"{path} holds the vectors of {len(made):,} pictures")


def find(
    picture: Annotated[Path, typer.Argument(metavar="PHOTO", help="A picture.")],
    *,
    run: Annotated[Path | None, Embedder] = None,
    index: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An index; without --run, what made it makes the vector.")
    ] = None,
    topk: Annotated[int, typer.Option(min=1, help="Pictures to find.")] = 5,
) -> Answer:
    """Find the pictures of an index that are most like another one."""
    from mobilevision.deploy.indexing import find as look

    hits = [hit.facts() for hit in look(picture, run=run, index=index, topk=topk)]
    return Answer(hits, "\n".join(f"{hit['cosine']:.3f}  {hit['file']}" for hit in hits))
