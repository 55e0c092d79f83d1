"""Learning-rate schedules: factors on `optimizer.lr`."""

from lenet.schedules.base import Clock, History, Schedule
from lenet.schedules.recorded import Plateau, Threshold
from lenet.schedules.smooth import Cosine, Linear, OneCycle, RangeTest
from lenet.schedules.staircase import Constant, Exponential, MultiStep, Piecewise, Step

__all__ = [
    "Clock",
    "Constant",
    "Cosine",
    "Exponential",
    "History",
    "Linear",
    "MultiStep",
    "OneCycle",
    "Piecewise",
    "Plateau",
    "RangeTest",
    "Schedule",
    "Step",
    "Threshold",
]
