"""The layers that a network is made of."""

from lenet.layers.activation import ReLU, ScaledTanh, Sigmoid, Tanh, activation
from lenet.layers.base import Layer, ParameterSpec, ShapeError
from lenet.layers.conv import Conv2d
from lenet.layers.dropout import Dropout
from lenet.layers.linear import Flatten, Linear
from lenet.layers.normalization import BatchNorm
from lenet.layers.pad import Pad2d
from lenet.layers.pool import AvgPool2d, MaxPool2d, pooling
from lenet.layers.rbf import RBF
from lenet.layers.subsample import Subsample2d
from lenet.layers.table import TableConv2d

__all__ = [
    "RBF",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dropout",
    "Flatten",
    "Layer",
    "Linear",
    "MaxPool2d",
    "Pad2d",
    "ParameterSpec",
    "ReLU",
    "ScaledTanh",
    "ShapeError",
    "Sigmoid",
    "Subsample2d",
    "TableConv2d",
    "Tanh",
    "activation",
    "pooling",
]
