"""From folders and files to tensors: reading, checking, preparing and varying pictures.

`check` is in `mobilevision.data.check`: a room does not export a name that one of its files has.
"""

from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Data, Sample, SetAside
from mobilevision.data.folders import read_data
from mobilevision.data.loaders import class_weights, loader
from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.samples import sample_folder

__all__ = [
    "Augment",
    "Data",
    "Preprocessing",
    "Sample",
    "SetAside",
    "class_weights",
    "find_pictures",
    "loader",
    "open_picture",
    "read_data",
    "sample_folder",
]
