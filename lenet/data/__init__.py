"""Data: sources that find, download, check and read images, and the data set they return."""

from lenet.data.augmentation import Augmentation
from lenet.data.dataset import Dataset, split_classes
from lenet.data.loading import load, read
from lenet.data.pool import Pool
from lenet.data.scaling import scaling
from lenet.data.sources import DataSource, FashionMnist, Idx, ImageFolder, Kmnist, Mnist, Mnist5k, Npz, SplittingSource

__all__ = [
    "Augmentation",
    "DataSource",
    "Dataset",
    "FashionMnist",
    "Idx",
    "ImageFolder",
    "Kmnist",
    "Mnist",
    "Mnist5k",
    "Npz",
    "Pool",
    "SplittingSource",
    "load",
    "read",
    "scaling",
    "split_classes",
]
