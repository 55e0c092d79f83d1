"""Optimizers on one flat parameter vector."""

from lenet.optimizers.adaptive import Adam, AdamW, RMSprop
from lenet.optimizers.base import Optimizer
from lenet.optimizers.descent import SGD, Momentum, Nesterov
from lenet.optimizers.diagonal import DiagonalLevenbergMarquardt

__all__ = ["SGD", "Adam", "AdamW", "DiagonalLevenbergMarquardt", "Momentum", "Nesterov", "Optimizer", "RMSprop"]
