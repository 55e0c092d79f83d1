"""The figures of runs and sweeps. The only part that imports matplotlib, and never its global pyplot."""

from matplotlib.figure import Figure

from lenet.plots.calibration import calibration
from lenet.plots.ranges import lr_range
from lenet.plots.runs import confusion_matrix, curves, distortions, filters, mistakes
from lenet.plots.style import to_png
from lenet.plots.sweeps import heat_map, sweep, training_curves
from lenet.plots.teaching import feature_maps, forming, gradient_norms

__all__ = [
    "Figure",
    "calibration",
    "confusion_matrix",
    "curves",
    "distortions",
    "feature_maps",
    "filters",
    "forming",
    "gradient_norms",
    "heat_map",
    "lr_range",
    "mistakes",
    "sweep",
    "to_png",
    "training_curves",
]
