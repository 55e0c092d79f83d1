"""Each way to scale pixels, and what cannot be scaled."""

import numpy as np
import pytest

from lenet.data import scaling
from lenet.errors import UserError


def test_standard_scaling_gives_mean_0_and_variance_1() -> None:
    images = np.random.default_rng(0).integers(0, 200, (700, 1, 28, 28), dtype=np.uint8)
    shift, scale = scaling("standard", images)
    assert shift == pytest.approx(images.mean(dtype=np.float64), rel=1e-12)
    assert scale == pytest.approx(images.std(dtype=np.float64), rel=1e-12)


def test_unit_and_report_scaling_divide_by_255_and_256() -> None:
    images = np.full((1, 1, 2, 2), 9, np.uint8)
    assert scaling("unit", images) == (0.0, 255.0)
    assert scaling("report", images) == (0.0, 256.0)


@pytest.mark.parametrize("value", [0, 1, 7, 255])
def test_constant_images_have_no_standard_scaling(value: int) -> None:
    with pytest.raises(UserError, match=f"every pixel of the training images is {value},"):
        scaling("standard", np.full((3, 1, 2, 2), value, np.uint8))


def test_one_pixel_that_differs_is_enough() -> None:
    images = np.zeros((1, 1, 10, 10), np.uint8)
    images[0, 0, 0, 0] = 10
    assert scaling("standard", images) == pytest.approx((0.1, np.sqrt(0.99)))
