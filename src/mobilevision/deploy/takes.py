"""Which operators phones' and boards' accelerators take: a table with its sources.

A row is an operator by a word of our own, because every format has its own name for it. "unknown" is what no source
tells. Nothing here was compiled for, or run on, any of these devices but XNNPACK.
"""

from __future__ import annotations

from dataclasses import dataclass

YES, NO, UNKNOWN = "yes", "no", "unknown"
FLOATS, INTEGERS = "floats", "8-bit integers"


@dataclass(frozen=True)
class Target:
    """Something that runs networks, or a part of one.

    Attributes:
        name: what people call it.
        formats: names of the file formats it runs.
        numbers: what its operators compute with: floats, 8-bit integers, or either.
        doors: whether image and scores must be integers too; else what turns them is left to the processor.
        source: where its column of the table is from.
    """

    name: str
    formats: tuple[str, ...]
    numbers: tuple[str, ...]
    source: str
    doors: bool = False


TARGETS = (
    Target(
        "XNNPACK",
        ("litert", "edgetpu", "executorch"),
        (FLOATS,),
        source=(
            "README of TensorFlow Lite's XNNPACK delegate, floating-point operators; what LiteRT 2.3 was seen to "
            "delegate; ExecuTorch 1.5.1's partitioner"
        ),
    ),
    Target(
        "XNNPACK in 8 bits",
        ("litert", "edgetpu", "executorch"),
        (INTEGERS,),
        source="the same README, quantized operators; LiteRT 2.3, in which the others were seen inside or outside",
    ),
    Target(
        "GPU delegate",
        ("litert", "edgetpu"),
        (FLOATS, INTEGERS),
        source="tensorflow/lite/delegates/gpu/common/model_builder.cc: the operators it has a parser for",
    ),
    Target(
        "EdgeTPU",
        ("edgetpu", "litert"),
        (INTEGERS,),
        source="Coral, TensorFlow models on the Edge TPU: supported operations; later compilers take more",
        doors=True,
    ),
    Target(
        "Hexagon",
        ("litert", "edgetpu"),
        (INTEGERS,),
        source="README of TensorFlow Lite's Hexagon delegate; hybrids failed there (arXiv:2404.10518, table 6)",
    ),
    Target(
        "Neural Engine",
        ("coreml",),
        (FLOATS,),
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
    "mean": (YES, YES, YES, YES, YES, YES),
    "max pool": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "average pool": (YES, UNKNOWN, YES, YES, YES, YES),
    "pad": (YES, YES, YES, YES, YES, UNKNOWN),
    "reshape": (YES, YES, YES, YES, YES, YES),
    "sigmoid": (YES, YES, YES, YES, YES, UNKNOWN),
    "softmax": (YES, UNKNOWN, YES, UNKNOWN, YES, UNKNOWN),
    "hard swish": (YES, NO, YES, NO, YES, UNKNOWN),
    "hard sigmoid": (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO, UNKNOWN),
    "swish": (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO, UNKNOWN),
    "gelu": (YES, UNKNOWN, NO, NO, NO, UNKNOWN),
    "layer norm": (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO, UNKNOWN),
    "squared difference": (YES, UNKNOWN, YES, UNKNOWN, NO, UNKNOWN),
    "reciprocal root": (YES, UNKNOWN, YES, UNKNOWN, NO, UNKNOWN),
    "matrix product": (YES, UNKNOWN, YES, NO, NO, UNKNOWN),
    "transpose": (YES, YES, YES, UNKNOWN, YES, UNKNOWN),
    "slice": (YES, YES, YES, UNKNOWN, YES, UNKNOWN),
    "maximum": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "minimum": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "resize": (YES, UNKNOWN, YES, YES, YES, UNKNOWN),
    "best class": (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, YES, UNKNOWN),
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
    ("max pool", "EdgeTPU"): "without an activation in it",
    ("max pool", "Hexagon"): "without an activation in it",
    ("average pool", "Hexagon"): "without an activation in it",
    ("pad", "Hexagon"): "with zeros",
    ("resize", "EdgeTPU"): "large maps may be left to the processor",
    ("resize", "Hexagon"): "to 65 x 65 pixels at most",
    ("quantize", "Hexagon"): "from 8 bits to 8 bits",
    ("depthwise convolution", "Hexagon"): "filters 3 wide, no dilation with a stride",
    ("convolution", "Hexagon"): "strides up to 3; depthwise filters 3 wide",
    ("dequantize", "GPU delegate"): "of constant weights",
}
"""(operator, target): what it asks of an operator that it takes."""

CONVOLUTIONS_ONLY = "MobileNetV4-conv, MobileNetV2 or MobileNetV1, which are convolutions, ReLU and additions"
INSTEAD = {
    "hard swish": (
        "precision int8, in which sums and products stand for it, the minimalistic MobileNetV3 (ReLU, no "
        "squeeze-and-excite) or MobileNetV4-conv"
    ),
    "hard sigmoid": (
        "precision int8, in which a clipped sum stands for it, the minimalistic MobileNetV3, which has no "
        "squeeze-and-excite, or MobileNetV4-conv"
    ),
    "swish": CONVOLUTIONS_ONLY,
    "gelu": CONVOLUTIONS_ONLY,
    "layer norm": CONVOLUTIONS_ONLY,
    "squared difference": CONVOLUTIONS_ONLY,
    "reciprocal root": CONVOLUTIONS_ONLY,
    "matrix product": CONVOLUTIONS_ONLY,
    "softmax": CONVOLUTIONS_ONLY,
    "divide": CONVOLUTIONS_ONLY,
    "dequantize": "the format edgetpu, in which image and scores are integers too",
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
    "max pool": ("MAX_POOL_2D", "MaxPool", "XNNMaxPooling2d", "max_pool"),
    "average pool": ("AVERAGE_POOL_2D", "AveragePool", "AvgPool", "XNNAvgPooling2d", "avg_pool"),
    "pad": ("PAD", "Pad", "XNNStaticConstantPad", "pad"),
    "reshape": ("RESHAPE", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "XNNStaticReshape", "reshape"),
    "sigmoid": ("LOGISTIC", "Sigmoid", "XNNSigmoid", "sigmoid"),
    "softmax": ("SOFTMAX", "Softmax", "XNNSoftmax", "softmax"),
    "hard swish": ("HARD_SWISH", "HardSwish", "HSwish", "XNNHardswish", "thresholded_relu"),
    "hard sigmoid": ("HardSigmoid", "HSigmoid", "sigmoid_hard"),
    "swish": ("Swish", "silu"),
    "gelu": ("GELU", "Gelu", "Erf", "XNNGelu", "gelu"),
    "layer norm": ("LayerNormalization", "MVN", "layer_norm"),
    "squared difference": ("SQUARED_DIFFERENCE", "SquaredDifference"),
    "reciprocal root": ("RSQRT", "Rsqrt", "Sqrt", "Reciprocal", "XNNReciprocalSquareRoot"),
    "matrix product": ("BATCH_MATMUL", "MatMul", "XNNBatchMatrixMultiply", "matmul"),
    "transpose": ("TRANSPOSE", "Transpose", "XNNStaticTranspose", "transpose"),
    "slice": ("SLICE", "STRIDED_SLICE", "SPLIT", "Slice", "Split", "XNNStaticSlice", "slice_by_index", "split"),
    "maximum": ("MAXIMUM", "Max", "Maximum", "XNNMaximum", "maximum"),
    "minimum": ("MINIMUM", "Min", "Minimum", "XNNMinimum", "minimum"),
    "resize": ("RESIZE_BILINEAR", "Resize", "Interpolate", "XNNStaticResizeBilinear2D", "upsample_bilinear"),
    "best class": ("ARG_MAX", "ArgMax", "XNNArgMaxPooling2d", "reduce_argmax"),
    "concatenate": ("CONCATENATION", "Concat", "XNNConcatenate2", "concat"),
    "quantize": ("QUANTIZE", "QuantizeLinear", "FakeQuantize", "XNNConvert", "quantize"),
    "dequantize": ("DEQUANTIZE", "DequantizeLinear", "dequantize"),
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
