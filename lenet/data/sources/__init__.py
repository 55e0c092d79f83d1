"""The data sources, one class for each choice of `data=…`."""

from lenet.data.sources.base import DataSource, SplittingSource
from lenet.data.sources.idx import Idx
from lenet.data.sources.image_folder import ImageFolder
from lenet.data.sources.mnist import FashionMnist, Kmnist, Mnist
from lenet.data.sources.mnist_5k import Mnist5k
from lenet.data.sources.npz import Npz

__all__ = ["DataSource", "FashionMnist", "Idx", "ImageFolder", "Kmnist", "Mnist", "Mnist5k", "Npz", "SplittingSource"]
