"""The layers that a network is made of."""

from lenet.layers.activation import ReLU, ScaledTanh, Sigmoid, Tanh, activation
from lenet.layers.base import Layer, ParameterSpec, ShapeError
from lenet.layers.conv import Conv2d
from lenet.layers.dropout import Dropout
from lenet.layers.linear import Flatten, Linear
from lenet.layers.normalization import BatchNorm
from lenet.layers.pool import AvgPool2d, MaxPool2d, pooling

__all__ = [
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dropout",
    "Flatten",
    "Layer",
    "Linear",
    "MaxPool2d",
    "ParameterSpec",
    "ReLU",
    "ScaledTanh",
    "ShapeError",
    "Sigmoid",
    "Tanh",
    "activation",
    "pooling",
]
