"""How a convolution is computed: by output rows, or flat for a single sample."""

from lenet.layers.convolution.flat import FlatConvolution
from lenet.layers.convolution.geometry import Geometry
from lenet.layers.convolution.rows import RowConvolution

__all__ = ["FlatConvolution", "Geometry", "RowConvolution"]
