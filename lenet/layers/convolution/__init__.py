"""How a convolution is computed: by output rows, flat for a single sample, or whole, as suits a GPU."""

from lenet.layers.convolution.flat import FlatConvolution
from lenet.layers.convolution.geometry import Geometry
from lenet.layers.convolution.rows import RowConvolution
from lenet.layers.convolution.whole import WholeConvolution

__all__ = ["FlatConvolution", "Geometry", "RowConvolution", "WholeConvolution"]
