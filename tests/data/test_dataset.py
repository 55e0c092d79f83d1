"""A data set is checked whole, identified by its content, and split class by class."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenet.data import Dataset, split_classes
from lenet.data.dataset import index_classes
from lenet.errors import UserError


def toy() -> Dataset:
    images = np.arange(4 * 1 * 3 * 2, dtype=np.uint8).reshape(4, 1, 3, 2)
    labels = np.array([0, 1, 0, 1])
    return Dataset("toy", images, labels, images[:2], labels[:2], ("a", "b"), source="toy.npz")


def test_arrays_are_read_only_and_the_callers_stay_writable() -> None:
    images = np.zeros((2, 1, 2, 2), np.uint8)
    data = Dataset("toy", images, np.array([0, 1]), images, np.array([0, 1]), ("a", "b"), "here")
    with pytest.raises(ValueError, match="read-only"):
        data.train_images[0] = 1
    images[0] = 1


def test_digest_is_the_same_for_equal_content() -> None:
    assert toy().digest == toy().digest
    assert len(toy().digest) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"train_images": np.zeros((4, 1, 3, 2), np.uint8)},
        {
            "train_images": toy().train_images.reshape(4, 1, 2, 3),
            "test_images": toy().test_images.reshape(2, 1, 2, 3),
        },
        {"train_labels": np.array([1, 1, 0, 1])},
        {"test_labels": np.array([1, 1])},
        {"classes": ("a", "c")},
    ],
)
def test_digest_changes_with_every_part(change: dict[str, object]) -> None:
    assert replace(toy(), **change).digest != toy().digest


def test_digest_does_not_depend_on_memory_order() -> None:
    reordered = np.asfortranarray(toy().train_images)
    assert replace(toy(), train_images=reordered).digest == toy().digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": np.zeros((4, 3, 2), np.uint8)}, "training images uint8"),
        ({"train_images": np.zeros((4, 1, 3, 2))}, "training images float64"),
        ({"train_images": [[0]]}, r"training images in a list; accepted: a NumPy array"),
        ({"test_labels": [0, 1]}, r"test labels in a list; accepted: a NumPy array"),
        ({"classes": 2}, r"classes 2; accepted: a tuple of texts"),
        ({"classes": (0, 1)}, r"classes \(0, 1\); accepted: a tuple of texts"),
        ({"train_labels": np.zeros(4, np.int32)}, "training labels int32"),
        ({"train_labels": np.array([0, 1, 0])}, "4 training images with 3 labels"),
        ({"train_labels": np.array([0, 1, 0, 2])}, "training labels from 0 to 2"),
        ({"train_labels": np.array([0, 1, 0, -1])}, "training labels from -1 to 1"),
        (
            {"test_images": np.zeros((0, 1, 3, 2), np.uint8), "test_labels": np.zeros(0, np.int64)},
            "no test images",
        ),
        ({"test_images": np.zeros((2, 1, 2, 2), np.uint8)}, "one shape"),
        ({"train_images": np.zeros((4, 1, 0, 2), np.uint8)}, "pixels a side"),
        ({"classes": ("a",)}, "1 classes"),
        ({"classes": ("a", "a")}, "names that differ"),
        ({"train_labels": np.array([0, 0, 0, 0])}, "class 'b', of which no training image is"),
    ],
)
def test_parts_that_do_not_fit_are_one_error_that_names_the_source(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        replace(toy(), **change)
    assert str(error.value).startswith("toy.npz: found ")


@pytest.mark.parametrize("part", ["name", "source"])
def test_a_name_that_is_no_text_is_one_error(part: str) -> None:
    with pytest.raises(UserError, match=f"Dataset: found `{part}` 3; accepted: a text"):
        replace(toy(), **{part: 3})


def test_class_names_may_be_a_list_and_are_the_same_data() -> None:
    assert replace(toy(), classes=["a", "b"]).digest == toy().digest


def test_a_split_holds_out_each_class_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    kept, held_out = split_classes(labels, 0.1, np.random.default_rng(0))
    assert np.bincount(labels[held_out]).tolist() == [5, 3, 2]
    assert np.bincount(labels[kept]).tolist() == [45, 27, 18]


def test_a_split_gives_what_is_left_over_to_the_largest_remainders() -> None:
    labels = np.repeat([0, 1, 2], [14, 26, 60])  # quotas of 7 out of 100: 0.98, 1.82, 4.2
    _, held_out = split_classes(labels, 0.07, np.random.default_rng(0))
    assert np.bincount(labels[held_out]).tolist() == [1, 2, 4]


def test_a_split_is_random_within_a_class_and_repeats_with_the_generator() -> None:
    labels = np.tile(np.arange(10), 30)
    first, again, other = (split_classes(labels, 0.2, np.random.default_rng(seed))[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(
    labels=st.lists(st.integers(0, 5), min_size=2, max_size=60),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_a_split_keeps_every_image_once_and_holds_out_the_rounded_total(
    labels: list[int], share: float, seed: int
) -> None:
    array = np.array(labels)
    total = round(share * len(array))
    if not 0 < total < len(array):
        with pytest.raises(UserError, match=r"data\.validation"):
            split_classes(array, share, np.random.default_rng(seed))
        return
    kept, held_out = split_classes(array, share, np.random.default_rng(seed))
    assert len(held_out) == total
    assert np.array_equal(np.sort(np.concatenate([kept, held_out])), np.arange(len(array)))
    assert np.all(np.diff(kept) > 0)
    assert np.all(np.diff(held_out) > 0)
    for label in np.unique(array):
        quota = total * np.sum(array == label) / len(array)
        assert abs(np.sum(array[held_out] == label) - quota) < 1


def test_classes_are_numbered_in_the_order_of_their_values() -> None:
    names, (first, second) = index_classes(np.array([10, -2, 10]), np.array([7, 10]))
    assert names == ("-2", "7", "10")
    assert (first.tolist(), second.tolist()) == ([2, 0, 2], [1, 2])
