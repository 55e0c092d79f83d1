"""The pages' pictures: `python -m docs.pictures` draws them all into `docs/figures`."""

from collections.abc import Callable

from matplotlib.figure import Figure

from docs.pictures.flow import flow
from docs.pictures.maps import feature_maps
from docs.pictures.memory import memory
from docs.pictures.windows import convolution, input_gradient

PICTURES: dict[str, Callable[[], Figure]] = {
    "flow": flow,
    "memory": memory,
    "feature_maps": feature_maps,
    "convolution": convolution,
    "input_gradient": input_gradient,
}
"""What draws each of them, by name."""
