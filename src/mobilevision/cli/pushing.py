"""The verb that gives a run away: push."""

from typing import Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import RunFolder


def push(
    run: RunFolder,
    to: Annotated[str, typer.Argument(metavar="hf-hub:OWNER/NAME|FOLDER", help="A repository, or a new folder.")],
    *,
    license: Annotated[str, typer.Option(help="Of the weights, as an SPDX name such as apache-2.0.")] = "unknown",
    private: Annotated[bool, typer.Option("--private", help="Only you see a repository that is made anew.")] = False,
) -> Answer:
    """Send a run to the Hugging Face hub: weights, model card and exported files; or write them into a folder."""
    from mobilevision.pages.push import push as send

    pushed = send(run, to, license=license, private=private)
    facts = {"to": pushed.to, "files": pushed.files, "license": license}
    return Answer(facts, f"{pushed.to} holds {', '.join(pushed.files)}")
