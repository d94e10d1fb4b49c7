"""The arguments and options that verbs share, each described once."""

from pathlib import Path
from typing import Annotated

import typer

from mobilevision.cli.doctor import version


def tell_version(asked: bool) -> None:
    """Print the version and leave, if it was asked for."""
    if asked:
        print(f"mobilevision {version('mobilevision') or '(run from its source, not installed)'}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version and leave.")
]

Source = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder with a folder of pictures for each class, a CSV of file,label, a folder of shards, one saved by "
        "datasets, or sample:digits; boxes as COCO JSON, Pascal VOC or YOLO; masks as folders images and masks, or "
        "COCO JSON; or sample:shapes.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
RunOrFile = Annotated[Path, typer.Argument(metavar="RUN|FILE", help="The folder of a run, or an exported file.")]

Arch = Annotated[str, typer.Option(help="Name of the network (see: mobilevision list), or an arch.json.")]
Task = Annotated[str, typer.Option(help="What the network is asked to do: classify, detect, segment or embed.")]
Weights = Annotated[
    str | None,
    typer.Option(metavar="FILE|TAG", help="Weights to start from: a file, a published tag, or hf-hub:owner/name."),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="finetune, scratch_small, quick, or a published one, such as mobilenetv4_conv_small; default: finetune "
        "with weights, else scratch_small; detect_small for boxes, segment_small for masks, embed_* for vectors."
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the pictures; default: the recipe's.")]
Batch = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Pictures a step; default: the recipe's. auto keeps it, in as few parts as fit into memory.",
    ),
]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that read pictures; default: one a core but one.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Another value for a number of the recipe; may be repeated."),
]
Loss = Annotated[
    str | None,
    typer.Option(help="What vectors learn by: arcface (default), cosface, softmax (normalized) or triplet; for embed."),
]
Seed = Annotated[int, typer.Option(min=0, help="Decides the split and everything random.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Out = Annotated[Path | None, typer.Option(metavar="RUN", help="Folder of the run; default: runs/ and the data's name.")]
Formats = Annotated[
    str, typer.Option("--to", help="Formats, separated by commas: litert, onnx, openvino, coreml, executorch, edgetpu.")
]
Precisions = Annotated[
    str,
    typer.Option(
        "--precision", help="Precisions, separated by commas: fp32, fp16, int8; each format takes those it has."
    ),
]
Threads = Annotated[str, typer.Option(metavar="N|all", help="Threads of the runtime; all: one for each core.")]
ThreadCount = Annotated[int, typer.Option("--threads", min=1, help="Threads of the runtime.")]
Cache = Annotated[bool, typer.Option("--cache", help="Keep the training pictures decoded, in a folder of caches.")]
Distilled = Annotated[
    str, typer.Option(metavar="FOLDER:RATIO,...", help="Learn from replicas (see: distill prepare), in these ratios.")
]
Teacher = Annotated[
    str, typer.Option(metavar="RUN|FILE|ARCH|timm:NAME", help="A trained network of the same classes to learn from.")
]
TeacherWeights = Annotated[str | None, typer.Option(metavar="FILE|TAG", help="Weights of a teacher given by name.")]
Temperature = Annotated[float, typer.Option(help="What the teacher's scores are divided by; more is softer.")]
Soft = Annotated[float, typer.Option(help="Share of the teacher in the loss; the rest is the labels'.")]


def words(text: str) -> tuple[str, ...]:
    """The words of an option that takes several, separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
