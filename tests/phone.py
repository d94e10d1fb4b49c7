"""A stand-in for `adb` with one phone behind it, whose files lie in the folder PHONE.

It knows the commands that are needed, splits the shell's line as a phone does, and says what the real programs say: the
columns and sentences of benchmark_model are those of its sources.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

PHONE = Path(os.environ["PHONE"])
STATE = os.environ.get("PHONE_STATE", "device")
PROPERTIES = {"ro.product.model": "Pixel 8", "ro.build.version.release": "16", "ro.product.cpu.abi": "arm64-v8a"}
HEAD = "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]"
SAID = f"""INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Graph: [{{graph}}]
INFO: #threads used for CPU inference: [{{threads}}]
INFO: Loaded model {{graph}}
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: The input model file size (MB): 1.63
INFO: Initialized session in 5.2ms.
INFO: Running benchmark for at least 10 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=120 first=9000 curr=4100 min=4001 max=9000 avg=4200.5 std=70 p5=4010 median=4150 p95=4800

INFO: Running benchmark for at least {{runs}} iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count={{runs}} first=4120 curr=4090 min=3990 max=5100 avg=4.1e+03 std=80 p5=4000 median=4075 p95=4500

INFO: Inference timings in us: Init: 5200, First inference: 9000, Warmup (avg): 4200.5, Inference (avg): 4100
INFO: Memory footprint delta from the start of the tool (MB): init=3.5 overall=12.25
INFO: Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
{HEAD}
\t         AllocateTensors\t    1.356\t    1.356\t100.000%\t100.000%\t     0.000\t        1\tAllocateTensors/0

INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
{HEAD}
\t TfLiteXNNPackDelegate\t    3.500\t    3.450\t 86.000%\t 86.000%\t     0.000\t        1\t[scores]:65
\t              HARD_SWISH\t    0.600\t    0.550\t 14.000%\t100.000%\t     0.000\t        1\t[swish]:7

============================== Top by Computation Time ==============================
{HEAD}
\t TfLiteXNNPackDelegate\t    3.500\t    3.450\t 86.000%\t 86.000%\t     0.000\t        1\t[scores]:65

Number of nodes executed: 2
Timings (microseconds): count={{runs}} first=4100 curr=4000 min=3900 max=5000 avg=4000 std=70
Memory (bytes): count=0
2 nodes observed

Delegate internal:{" "}
============================== Run Order ==============================
{HEAD}
\t Convolution (NHWC, F32) IGEMM\t    2.500\t    2.400\t 70.000%\t 70.000%\t     0.000\t        1\tDelegate/conv:0
\t Convolution (NHWC, F32) DWConv\t    1.000\t    1.050\t 30.000%\t100.000%\t     0.000\t        1\tDelegate/depth:1

"""


def at(path: str) -> Path:
    return PHONE / path.lstrip("/")


def shell(line: str) -> int:
    name, *words = shlex.split(line)
    if name == "getprop":
        print(PROPERTIES.get(words[0], ""))
    elif name == "nproc":
        print(8)
    elif name == "mkdir":
        at(words[-1]).mkdir(parents=True, exist_ok=True)
    elif name == "rm":
        shutil.rmtree(at(words[-1]), ignore_errors=True)
    elif name == "chmod":
        at(words[-1]).chmod(int(words[0], 8))
    elif name == "ls":
        if not at(words[0]).exists():
            print(f"ls: {words[0]}: No such file or directory", file=sys.stderr)
            return 1
        print(words[0])
    elif name.endswith("/benchmark_model"):
        return benchmark_model(name, dict(word.removeprefix("--").split("=", 1) for word in words))
    else:
        print(f"/system/bin/sh: {name}: inaccessible or not found", file=sys.stderr)
        return 127
    return 0


def benchmark_model(name: str, options: dict[str, str]) -> int:
    if not os.access(at(name), os.X_OK):
        print(f"/system/bin/sh: {name}: can't execute: Permission denied", file=sys.stderr)
        return 126
    if not at(options["graph"]).is_file():
        print(f"ERROR: Could not open '{options['graph']}'.\nERROR: Failed to load the graph", file=sys.stderr)
        return 1
    assert options["enable_op_profiling"] == "true"
    print(SAID.format(graph=options["graph"], threads=options["num_threads"], runs=options["num_runs"]))
    return 0


def main() -> int:
    words = sys.argv[1:]
    if words == ["devices"]:
        print(f"List of devices attached\nPIXEL8\t{STATE}\n")
        return 0
    if words[:2] != ["-s", "PIXEL8"]:
        print(f"adb: device '{words[1]}' not found", file=sys.stderr)
        return 1
    if words[2] == "push":
        shutil.copyfile(words[3], at(words[4]))
        print(f"{words[3]}: 1 file pushed, 0 skipped. 30.1 MB/s (1634301 bytes in 0.052s)")
        return 0
    return shell(words[3]) if words[2] == "shell" else 1


if __name__ == "__main__":
    sys.exit(main())
