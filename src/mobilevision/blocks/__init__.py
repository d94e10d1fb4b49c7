"""Every kind of block and head: frozen facts that build their own modules."""

from mobilevision.blocks.base import Block, Head
from mobilevision.blocks.classifier import Classifier
from mobilevision.blocks.conv import Conv, FusedInverted, LastConv, Norm, Separable
from mobilevision.blocks.deeplab import DeepLabV3
from mobilevision.blocks.gate import Gate
from mobilevision.blocks.inverted import Inverted
from mobilevision.blocks.irmb import IRMB
from mobilevision.blocks.lraspp import LRASPP
from mobilevision.blocks.meta import Filter, GridThenFilter, MetaBlock, Operator, SelfAttention
from mobilevision.blocks.projection import Projection
from mobilevision.blocks.retinanet import RetinaNetLite
from mobilevision.blocks.ssdlite import SSDLite
from mobilevision.blocks.uib import UIB, MobileMQA

__all__ = [
    "IRMB",
    "LRASPP",
    "UIB",
    "Block",
    "Classifier",
    "Conv",
    "DeepLabV3",
    "Filter",
    "FusedInverted",
    "Gate",
    "GridThenFilter",
    "Head",
    "Inverted",
    "LastConv",
    "MetaBlock",
    "MobileMQA",
    "Norm",
    "Operator",
    "Projection",
    "RetinaNetLite",
    "SSDLite",
    "SelfAttention",
    "Separable",
]
