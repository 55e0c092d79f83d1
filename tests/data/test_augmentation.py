"""Distortions are what they say, and drawn from nothing but the seed, the step and the place in the batch."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import map_coordinates

from lenet.arrays.draws import Pass
from lenet.arrays.memory import Workspace
from lenet.data import Augmentation
from lenet.data.augmentation import Distortion, bumps
from lenet.data.loader import ImageTable
from tests.helpers import backend

ALL = Augmentation(shift=2, rotation=20, scale=0.2, shear=0.2, elastic=1.5, sigma=3)


def images(count=5, shape=(2, 9, 12)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)


def distorted(augmentation, raw, now=None, dtype="float64", weights=None):
    """Return the images as a step sees them; `weights` `(2, 3 + knots, n)`, if given, instead of what is drawn."""
    count, channels, height, width = raw.shape
    on = backend(dtype)
    distortion = Distortion(augmentation, raw.shape[1:], on)
    if weights is not None:
        distortion._draw = lambda now, b: b.weights.__setitem__(..., weights)
    out = on.zeros((height * channels * width, count))
    rows = np.ascontiguousarray(raw.transpose(0, 2, 1, 3)).reshape(count, -1)
    distortion.apply(rows, now or Pass(True), out, Workspace(on))
    return out.reshape(height, channels, width, count).transpose(3, 1, 0, 2)


def affine(raw, rows, columns):
    """Return weights by which pixel (r, c) comes from `rows` and `columns`: of r and c from the centre, and 1."""
    centre = (np.array(raw.shape[2:]) - 1) / 2
    weights = np.array([rows, columns], float)
    weights[:, 2] += centre
    return np.repeat(weights[:, :, None], len(raw), axis=2)


def test_nothing_asked_for_changes_nothing():
    raw = images()
    assert not Augmentation().distorts
    np.testing.assert_array_equal(distorted(Augmentation(), raw), raw)


def test_a_shift_by_whole_pixels_moves_the_image_and_leaves_black():
    raw = images()
    moved = distorted(Augmentation(), raw, weights=affine(raw, [1, 0, 2], [0, 1, -3]))
    np.testing.assert_array_equal(moved[:, :, :-2, 3:], raw[:, :, 2:, :-3])
    assert (moved[:, :, -2:] == 0).all()
    assert (moved[:, :, :, :3] == 0).all()


def test_a_quarter_turn_is_rot90():
    raw = images(shape=(1, 8, 8))
    turned = distorted(Augmentation(), raw, weights=affine(raw, [0, 1, 0], [-1, 0, 0]))
    np.testing.assert_array_equal(turned, np.rot90(raw, 1, axes=(2, 3)))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 12), (1, 1, 7)])
def test_pixels_are_read_by_bilinear_interpolation(shape):
    raw = images(4, shape)
    on = backend()
    distortion, workspace = Distortion(ALL, shape, on), Workspace(on)
    seen = distorted(ALL, raw, Pass(True, seed=3, step=5))
    rows = np.ascontiguousarray(raw.transpose(0, 2, 1, 3)).reshape(4, -1)
    distortion.apply(rows, Pass(True, seed=3, step=5), on.zeros((rows.shape[1], 4)), workspace)
    weights = workspace.keep("distortion", 4, lambda: None).weights
    places = np.matmul(distortion._fields, weights).reshape(2, *shape[1:], 4)
    for sample in range(4):
        for channel in range(shape[0]):
            expected = map_coordinates(
                raw[sample, channel].astype(float), places[..., sample], order=1, mode="grid-constant"
            )
            np.testing.assert_allclose(seen[sample, channel], expected, atol=1e-9)


def drawn(augmentation, count=4000, **now):
    on = backend()
    distortion, workspace = Distortion(augmentation, (1, 9, 9), on), Workspace(on)
    distortion.apply(np.zeros((count, 81), np.uint8), Pass(True, **now), on.zeros((81, count)), workspace)
    return workspace.keep("distortion", count, lambda: None).weights


def test_shifts_are_even_between_their_limits():
    shifts = drawn(Augmentation(shift=2))[:, 2] - 4
    assert np.abs(shifts).max() <= 2
    assert shifts.std(axis=1) == pytest.approx([2 / np.sqrt(3)] * 2, rel=0.05)
    assert abs(np.corrcoef(shifts)[0, 1]) < 0.06


def test_rotations_turn_and_nothing_else():
    turns = drawn(Augmentation(rotation=30))[:, :2].transpose(2, 0, 1)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(2), turns.shape), atol=1e-12)
    angles = np.degrees(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]))
    assert np.abs(angles).max() <= 30
    assert angles.std() == pytest.approx(30 / np.sqrt(3), rel=0.05)


def test_scales_and_shears_are_between_their_limits():
    stretched = drawn(Augmentation(scale=0.3))
    assert (stretched[0, 1] == 0).all()
    assert (np.abs(stretched[[0, 1], [0, 1]] - 1).max(axis=1) > 0.29).all()
    assert np.abs(stretched[[0, 1], [0, 1]] - 1).max() <= 0.3
    sheared = drawn(Augmentation(shear=0.3))
    assert (sheared[0, 0] == 1).all()
    assert 0.29 < np.abs(sheared[0, 1]).max() <= 0.3


def test_the_elastic_field_has_the_deviation_and_the_correlation_of_smoothed_noise():
    knots = bumps(28, 28, 4.0, 1.5)
    field = np.random.default_rng(0).uniform(-1, 1, (4000, len(knots))) @ knots
    field = field.reshape(-1, 28, 28)
    assert field.mean() == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(field.std(axis=0), 1.5, rtol=0.06)
    for distance in (4, 8):  # noise smoothed by a Gaussian is correlated as one that is √2 as wide
        together = (field[:, :, :-distance] * field[:, :, distance:]).mean() / 1.5**2
        assert together == pytest.approx(np.exp(-(distance**2) / (4 * 4.0**2)), abs=0.03)


def test_what_is_drawn_depends_on_seed_step_and_place_alone():
    raw = images(6)
    first = distorted(ALL, raw, Pass(True, 1, 2))
    np.testing.assert_array_equal(distorted(ALL, raw, Pass(True, 1, 2)), first)
    parts = [distorted(ALL, raw[start : start + 3], Pass(True, 1, 2, position=start)) for start in (0, 3)]
    np.testing.assert_allclose(np.concatenate(parts), first, rtol=1e-9, atol=1e-9)
    for other in (Pass(True, 2, 2), Pass(True, 1, 3), Pass(True, 1, 2, position=1)):
        assert np.abs(distorted(ALL, raw, other) - first).max() > 1


def test_a_table_distorts_only_where_it_is_told_to():
    raw, on = images(6), backend()
    table = ImageTable(raw, np.arange(6), 30.0, 70.0, on)
    distortion, now = Distortion(ALL, raw.shape[1:], on), Pass(True, 1, 2)
    seen, labels = table.batch(np.array([4, 1, 3]), Workspace(on), distortion, now)
    expected = (distorted(ALL, raw[[4, 1, 3]], now) - 30) / 70
    np.testing.assert_allclose(seen, expected, rtol=1e-12)
    assert labels.tolist() == [4, 1, 3]
    plain, _ = table.batch(np.array([4, 1, 3]), Workspace(on))
    np.testing.assert_allclose(plain, (raw[[4, 1, 3]] - 30.0) / 70, rtol=1e-12)


@pytest.mark.parametrize(
    ("key", "value"),
    [("shift", -1), ("rotation", 200), ("scale", 1), ("shear", -0.1), ("elastic", -1), ("sigma", 0), ("shift", "far")],
)
def test_what_cannot_be_is_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        Augmentation(**{key: value})
