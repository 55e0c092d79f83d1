"""A checkpoint is held to the arrays that it is to have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lenet import checkpoint
from lenet.errors import UserError
from tests.checkpoint.files import ARRAYS


def changed(**arrays: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    merged = ARRAYS | {name.replace("__", "/"): array for name, array in arrays.items()}
    return {name: array for name, array in merged.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (changed(param__conv1__bias=None), "`param/conv1/bias` is missing (expected float32[6])"),
        (
            changed(param__conv1__bia=np.zeros(6)),
            "`param/conv1/bia` (float64[6]) belongs to nothing here Did you mean `param/conv1/bias`?",
        ),
        (
            changed(param__conv1__bias=np.zeros(7, np.float32)),
            "`param/conv1/bias` is float32[7], expected float32[6]",
        ),
        (changed(param__conv1__bias=np.zeros(6)), "`param/conv1/bias` is float64[6], expected float32[6]"),
        (
            changed(param__conv1__bias=np.array([0, np.nan, np.inf, 0, 0, 0], np.float32)),
            "`param/conv1/bias` has 2 of 6 numbers that are not finite",
        ),
    ],
)
def test_check_names_the_file_the_array_what_was_found_and_what_was_expected(
    tmp_path: Path, arrays: dict[str, NDArray[Any]], said: str
) -> None:
    path = tmp_path / "x.npz"
    checkpoint.save(path, arrays, {})
    with pytest.raises(UserError) as caught:
        checkpoint.check(checkpoint.load(path), ARRAYS)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_check_accepts_what_was_saved(path: Path) -> None:
    checkpoint.check(checkpoint.load(path), ARRAYS)


def test_check_names_a_few_of_many_differences(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x.npz", {f"a{n}": np.zeros(1) for n in range(20)}, {})
    with pytest.raises(UserError, match="and 19 more"):
        checkpoint.check(checkpoint.load(tmp_path / "x.npz"), ARRAYS)
