"""Which operators phones' and boards' accelerators take: a table with its sources.

A row is an operator by a word of our own, because every format has its own name for it. "unknown" is what no source
tells. Nothing here was compiled for, or run on, any of these devices but XNNPACK.
"""

from __future__ import annotations

from dataclasses import dataclass

YES, NO, UNKNOWN = "yes", "no", "unknown"


@dataclass(frozen=True)
class Target:
    """Something that runs networks, or a part of one.

    Attributes:
        name: what people call it.
        formats: names of the file formats it runs.
        integers: whether it takes 8-bit integers only, from the image to the scores.
        source: where its column of the table is from.
    """

    name: str
    formats: tuple[str, ...]
    integers: bool
    source: str


TARGETS = (
    Target(
        "XNNPACK",
        ("litert", "executorch"),
        integers=False,
        source="README of TensorFlow Lite's XNNPACK delegate, floating-point operators; ExecuTorch 1.5.1's partitioner",
    ),
    Target(
        "XNNPACK in 8 bits",
        ("litert", "executorch"),
        integers=True,
        source="the same README, quantized operators; LiteRT 2.3, where HARD_SWISH in 8 bits was seen to stay outside",
    ),
    Target(
        "GPU delegate",
        ("litert",),
        integers=False,
        source="tensorflow/lite/delegates/gpu/common/model_builder.cc: the operators it has a parser for",
    ),
    Target(
        "EdgeTPU",
        ("litert",),
        integers=True,
        source="Coral, TensorFlow models on the Edge TPU: supported operations; later compilers take more",
    ),
    Target(
        "Hexagon",
        ("litert",),
        integers=True,
        source="README of TensorFlow Lite's Hexagon delegate; hybrids failed there (arXiv:2404.10518, table 6)",
    ),
    Target(
        "Neural Engine",
        ("coreml",),
        integers=False,
        source="convolutional networks that ran there (arXiv:2404.10518, table 6); Apple does not publish a list",
    ),
)

TAKES: dict[str, tuple[str, ...]] = {
    # operator: XNNPACK, XNNPACK in 8 bits, GPU delegate, EdgeTPU, Hexagon, Neural Engine
    "convolution": (YES, YES, YES, YES, YES, YES),
    "depthwise convolution": (YES, YES, YES, YES, YES, YES),
    "linear": (YES, YES, YES, YES, YES, UNKNOWN),
    "add": (YES, YES, YES, YES, YES, YES),
    "subtract": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "multiply": (YES, YES, YES, YES, YES, UNKNOWN),
    "divide": (YES, UNKNOWN, YES, NO, NO, UNKNOWN),
    "relu": (YES, YES, YES, YES, YES, YES),
    "relu6": (YES, YES, YES, YES, YES, YES),
    "mean": (YES, UNKNOWN, YES, YES, YES, YES),
    "average pool": (YES, UNKNOWN, YES, YES, YES, YES),
    "pad": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "reshape": (YES, UNKNOWN, YES, YES, YES, YES),
    "sigmoid": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "softmax": (YES, UNKNOWN, YES, UNKNOWN, YES, UNKNOWN),
    "hard swish": (YES, NO, YES, NO, YES, UNKNOWN),
    "hard sigmoid": (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO, UNKNOWN),
    "swish": (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO, UNKNOWN),
    "gelu": (YES, UNKNOWN, NO, NO, NO, UNKNOWN),
    "layer norm": (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO, UNKNOWN),
    "squared difference": (YES, UNKNOWN, YES, UNKNOWN, NO, UNKNOWN),
    "reciprocal root": (UNKNOWN, UNKNOWN, YES, UNKNOWN, NO, UNKNOWN),
    "matrix product": (YES, UNKNOWN, YES, NO, NO, UNKNOWN),
    "transpose": (YES, UNKNOWN, YES, UNKNOWN, YES, UNKNOWN),
    "slice": (UNKNOWN, UNKNOWN, YES, UNKNOWN, YES, UNKNOWN),
    "concatenate": (UNKNOWN, UNKNOWN, YES, YES, YES, UNKNOWN),
    "quantize": (YES, YES, YES, YES, YES, UNKNOWN),
    "dequantize": (YES, YES, YES, NO, NO, UNKNOWN),
    "kernel of ExecuTorch": (NO, NO, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
}
"""Whether each of `TARGETS` takes an operator, in their order."""

LIMITS = {
    ("mean", "XNNPACK"): "over height and width alone",
    ("mean", "EdgeTPU"): "over height and width alone",
    ("pad", "EdgeTPU"): "of height and width alone",
    ("average pool", "EdgeTPU"): "without an activation in it",
    ("depthwise convolution", "Hexagon"): "filters 3 wide, no dilation with a stride",
    ("convolution", "Hexagon"): "strides up to 3; depthwise filters 3 wide",
    ("dequantize", "XNNPACK"): "of constant weights",
    ("dequantize", "GPU delegate"): "of constant weights",
}
"""(operator, target): what it asks of an operator that it takes."""

CONVOLUTIONS_ONLY = "MobileNetV4-conv, MobileNetV2 or MobileNetV1, which are convolutions, ReLU and additions"
INSTEAD = {
    "hard swish": "the minimalistic MobileNetV3 (ReLU, no squeeze-and-excite) or MobileNetV4-conv",
    "hard sigmoid": "the minimalistic MobileNetV3, which has no squeeze-and-excite, or MobileNetV4-conv",
    "swish": CONVOLUTIONS_ONLY,
    "gelu": CONVOLUTIONS_ONLY,
    "layer norm": CONVOLUTIONS_ONLY,
    "squared difference": CONVOLUTIONS_ONLY,
    "reciprocal root": CONVOLUTIONS_ONLY,
    "matrix product": CONVOLUTIONS_ONLY,
    "softmax": CONVOLUTIONS_ONLY,
    "dequantize": "precision int8, in which nothing is turned back to floats",
}
"""What to use where an operator is not taken."""

NAMES = {
    "convolution": ("CONV_2D", "Conv", "Convolution", "XNNConv2d", "conv"),
    "depthwise convolution": ("DEPTHWISE_CONV_2D", "GroupConvolution", "XNNDepthwiseConv2d"),
    "linear": ("FULLY_CONNECTED", "Gemm", "XNNFullyConnected", "linear"),
    "add": ("ADD", "Add", "XNNAdd", "add"),
    "subtract": ("SUB", "Sub", "Subtract", "XNNSubtract", "sub"),
    "multiply": ("MUL", "Mul", "Multiply", "XNNMultiply", "mul"),
    "divide": ("DIV", "Div", "Divide", "XNNDiv", "real_div"),
    "relu": ("RELU", "Relu", "ReLU", "relu"),
    "relu6": ("RELU6", "Clip", "Clamp", "XNNClamp", "clip", "relu6"),
    "mean": ("MEAN", "ReduceMean", "GlobalAveragePool", "XNNGlobalAvgPooling2d", "reduce_mean"),
    "average pool": ("AVERAGE_POOL_2D", "AveragePool", "AvgPool", "XNNAvgPooling2d", "avg_pool"),
    "pad": ("PAD", "Pad", "XNNStaticConstantPad", "pad"),
    "reshape": ("RESHAPE", "Reshape", "Flatten", "Squeeze", "XNNStaticReshape", "reshape"),
    "sigmoid": ("LOGISTIC", "Sigmoid", "XNNSigmoid", "sigmoid"),
    "softmax": ("SOFTMAX", "Softmax", "XNNSoftmax", "softmax"),
    "hard swish": ("HARD_SWISH", "HardSwish", "HSwish", "XNNHardswish", "thresholded_relu"),
    "hard sigmoid": ("HardSigmoid", "HSigmoid", "sigmoid_hard"),
    "swish": ("Swish", "silu"),
    "gelu": ("GELU", "Gelu", "XNNGelu", "gelu"),
    "layer norm": ("LayerNormalization", "MVN", "layer_norm"),
    "squared difference": ("SQUARED_DIFFERENCE", "SquaredDifference"),
    "reciprocal root": ("RSQRT", "Rsqrt", "XNNReciprocalSquareRoot"),
    "matrix product": ("BATCH_MATMUL", "MatMul", "XNNBatchMatrixMultiply", "matmul"),
    "transpose": ("TRANSPOSE", "Transpose", "XNNStaticTranspose", "transpose"),
    "slice": ("SLICE", "STRIDED_SLICE", "SPLIT", "Slice", "Split", "XNNStaticSlice", "slice_by_index", "split"),
    "concatenate": ("CONCATENATION", "Concat", "XNNConcatenate2", "concat"),
    "quantize": ("QUANTIZE", "QuantizeLinear", "FakeQuantize"),
    "dequantize": ("DEQUANTIZE", "DequantizeLinear"),
    "kernel of ExecuTorch": ("::",),
}
"""What each format calls an operator: LiteRT, ONNX, OpenVINO, ExecuTorch's XNNPACK, Core ML.

What XNNPACK left to ExecuTorch's own kernels has a name with "::", such as "aten::expand_copy.out".
"""

WORDS = {name: word for word, names in NAMES.items() for name in names}


def word(name: str) -> str:
    """Our word for an operator that a file names; "" if there is none."""
    return WORDS.get("::" if "::" in name else name, "")


def taken(name: str, target: str) -> str:
    """Whether a target takes an operator that a file names: "yes", "no" or "unknown"."""
    column = [each.name for each in TARGETS].index(target)
    return TAKES[word(name)][column] if word(name) else UNKNOWN
