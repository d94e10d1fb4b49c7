"""The verb that shows an exported file at work in a browser: demo."""

from pathlib import Path
from typing import Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import RunFolder


def demo(
    run: RunFolder,
    *,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder to write; default: demo in the run's.")
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="What runs in the browser: onnx runs the .onnx file, litert the .tflite file.")
    ] = "onnx",
    precision: Annotated[str, typer.Option(help="Of the file that runs: fp32, fp16 or int8.")] = "fp32",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve at; 0: any that is free.")] = 8000,
    serve: Annotated[bool, typer.Option(help="Serve the folder to this machine's browser; end it by Ctrl-C.")] = True,
) -> Answer:
    """Run the exported file in a page: drop a picture, use the camera, or pick a sample; nothing leaves the browser."""
    from mobilevision.files import size
    from mobilevision.jobs.telling import tell
    from mobilevision.pages.demo.folder import write_demo
    from mobilevision.pages.demo.serving import address, server

    folder = write_demo(run, to=to, runtime=runtime, precision=precision, tell=tell)
    facts = {"folder": str(folder), "bytes": size(folder), "served": None}
    if serve:
        with server(folder, port=port) as opened:
            facts["served"] = address(opened)
            tell(f"the demo is at {address(opened)} for this machine's browser; Ctrl-C ends it")
            try:
                opened.serve_forever()
            except KeyboardInterrupt:
                tell("the demo has ended")
    words = (
        f"demo {folder} ({size(folder) / 1e6:.1f} MB): any web server can give it out, and no file of it asks another"
    )
    return Answer(facts, words)
