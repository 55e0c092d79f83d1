"""A checkpoint comes back bit for bit, and nothing else comes back at all."""

import io
import json
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lenet import checkpoint
from lenet.errors import UserError

ARRAYS: dict[str, NDArray[Any]] = {
    "param/conv1/weight": np.arange(150, dtype=np.float32).reshape(6, 1, 5, 5) / 7,
    "param/conv1/bias": np.linspace(-1, 1, 6, dtype=np.float32),
    "velocity/conv1/weight": np.full((6, 1, 5, 5), -0.5, np.float32),
    "velocity/conv1/bias": np.zeros(6, np.float32),
}
META = {
    "config": {"optimizer": {"lr": 0.01}, "name": "größer"},
    "step": 640,
    "epoch": 10,
    "history": [{"train/loss": 0.1 + 0.2, "val/loss": float("inf")}],
    "random": np.random.default_rng(0).bit_generator.state,
}
BYTES = checkpoint.dumps(ARRAYS, META)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "last.npz"
    checkpoint.save(path, ARRAYS, META)
    return path


def write(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def meta_entry(**meta: Any) -> bytes:
    return npy(np.array(json.dumps({"format": 1, **meta})))


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_arrays_come_back_bit_for_bit(path: Path) -> None:
    loaded = checkpoint.load(path)
    assert list(loaded.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "|b1", "<i8", "|u1", "<U3"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_every_plain_dtype_and_shape_comes_back(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)
    checkpoint.save(tmp_path / "x.npz", {"x": array}, {})
    found = checkpoint.load(tmp_path / "x.npz").arrays["x"]
    assert (found.shape, found.dtype, found.tobytes()) == (array.shape, array.dtype, array.tobytes())


def test_an_array_in_column_order_keeps_its_values(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    checkpoint.save(tmp_path / "x.npz", {"x": array}, {})
    assert np.array_equal(checkpoint.load(tmp_path / "x.npz").arrays["x"], array)


def test_meta_comes_back_with_its_format(path: Path) -> None:
    assert checkpoint.load(path).meta == {"format": checkpoint.FORMAT, **META}


def test_a_history_with_nan_comes_back(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x.npz", {}, {"history": [np.float32("nan"), float("-inf")]})
    nan, infinity = checkpoint.load(tmp_path / "x.npz").meta["history"]
    assert np.isnan(nan)
    assert infinity == float("-inf")


def test_numpy_alone_opens_it(path: Path) -> None:
    with np.load(path, allow_pickle=False) as file:
        assert np.array_equal(file["param/conv1/weight"], ARRAYS["param/conv1/weight"])
        assert json.loads(str(file["meta"]))["step"] == 640


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_that_numpy_saved_is_read(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "x.npz", meta=np.array('{"format": 1}'), **ARRAYS)
    checkpoint.check(checkpoint.load(tmp_path / "x.npz"), ARRAYS)


def test_equal_content_gives_equal_bytes() -> None:
    assert checkpoint.dumps({name: array.copy() for name, array in ARRAYS.items()}, META) == BYTES


def test_nothing_is_left_beside_a_checkpoint(path: Path) -> None:
    checkpoint.save(path, ARRAYS, META)
    assert os.listdir(path.parent) == ["last.npz"]


def test_a_failed_save_leaves_the_old_file_and_nothing_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, {}, {})
    assert path.read_bytes() == BYTES
    assert os.listdir(path.parent) == ["last.npz"]


def test_objects_are_not_saved() -> None:
    with pytest.raises(ValueError, match="`x` has dtype object"):
        checkpoint.dumps({"x": np.array([{}], dtype=object)}, {})


def test_the_name_meta_is_taken() -> None:
    with pytest.raises(ValueError, match="`meta` is taken"):
        checkpoint.dumps({"meta": np.zeros(1)}, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "last.npz")


@pytest.mark.parametrize("length", [0, 1, 21, 41, 100, len(BYTES) // 2, len(BYTES) - 1])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(BYTES[:length])
    assert "damaged or not a checkpoint" in refused(path)


def test_a_file_with_something_before_the_archive_is_refused_as_numpy_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK" + BYTES)
    with pytest.raises(ValueError, match="pickle"):
        np.load(path, allow_pickle=False)
    assert "it does not begin as an .npz does" in refused(path)


def test_an_entry_that_claims_more_than_the_file_has_costs_no_memory(tmp_path: Path) -> None:
    claimed = 1 << 29
    content = bytearray(
        write(
            tmp_path / "x.npz",
            {
                "meta.npy": meta_entry(),
                "x.npy": npy(np.zeros(3, np.uint8)).replace(b"(3,), }" + b" " * 8, b"(536870912,), }"),
            },
        ).read_bytes()
    )
    at = content.rindex(b"PK\1\2")  # the last entry in the directory
    content[at + 20 : at + 28] = (claimed + 128).to_bytes(4, "little") * 2  # packed and unpacked
    (tmp_path / "x.npz").write_bytes(content)
    tracemalloc.start()
    try:
        assert "`x` claims 536,871,040 bytes, more than the file can hold" in refused(tmp_path / "x.npz")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_changed_weight_is_refused_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    weight = ARRAYS["velocity/conv1/weight"].tobytes()
    path.write_bytes(BYTES.replace(weight, b"\1" + weight[1:]))
    assert "CRC" in refused(path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    pickled = npy(np.array([{"a": 1}], dtype=object))
    message = refused(write(tmp_path / "x.npz", {"meta.npy": meta_entry(), "x.npy": pickled}))
    assert "`x` has no header of a plain array" in message


def test_a_header_is_never_evaluated(tmp_path: Path) -> None:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"-" * 5000 + b"1,), }\n"
    entry = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    assert "no header" in refused(write(tmp_path / "x.npz", {"x.npy": entry}))


def test_a_shape_larger_than_its_data_is_refused(tmp_path: Path) -> None:
    entry = npy(np.zeros(1, np.float32)).replace(b"(1,), }    ", b"(99999,), }")
    assert "not what shape (99999,)" in refused(write(tmp_path / "x.npz", {"x.npy": entry}))


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    zeros = np.zeros(checkpoint.MAX_BYTES // 2, np.uint8)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in "abc":
            with archive.open(f"{name}.npy", "w") as entry:
                # One compressed megabyte that says it is half a gibibyte is enough: nobody looks inside.
                entry.write(zeros[: 1 << 20].tobytes())
    data = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), zeros.size.to_bytes(4, "little"))
    path.write_bytes(data)
    assert f"at most 10,000 of {checkpoint.MAX_BYTES:,}" in refused(path)


def test_an_entry_that_holds_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    entry = npy(np.zeros(1_000_000, np.float32))
    write(path, {"x.npy": entry}, zipfile.ZIP_DEFLATED)
    small = npy(np.zeros(4, np.float32))
    path.write_bytes(path.read_bytes().replace(len(entry).to_bytes(4, "little"), len(small).to_bytes(4, "little")))
    refused(path)


def test_too_many_arrays_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenet.checkpoint.reading.MAX_ARRAYS", 3)
    assert "5 arrays" in refused(write(tmp_path / "x.npz", {f"{n}.npy": npy(np.zeros(1)) for n in range(5)}))


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (b"", "no text `meta`"),
        (npy(np.zeros(3)), "no text `meta`"),
        (npy(np.array("{")), "`meta` is not JSON"),
        (npy(np.array("[" * 100_000)), "`meta` is not JSON"),
        (npy(np.array("[]")), "format None"),
        (npy(np.array("{}")), "format None"),
        (meta_entry(format=2), "format 2, this version reads format 1"),
        (meta_entry(format=True), "format True"),
        (meta_entry(format="1"), "format '1'"),
    ],
)
def test_a_wrong_meta_is_refused(tmp_path: Path, meta: bytes, said: str) -> None:
    entries = {"x.npy": npy(np.zeros(1)), **({"meta.npy": meta} if meta else {})}
    assert said in refused(write(tmp_path / "x.npz", entries))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    assert "no such file" in refused(tmp_path / "x.npz")


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


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_bytes_are_refused_or_mean_the_same(tmp_path: Path, data: st.DataObject) -> None:
    mutated = bytearray(BYTES)
    # Half of the changes fall into the directory at the end, where there is something to get wrong.
    places = st.integers(0, len(BYTES) - 1) | st.integers(len(BYTES) - 400, len(BYTES) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(places)] = data.draw(st.integers(0, 255))
    mutated = mutated[: data.draw(st.just(len(mutated)) | st.integers(0, len(mutated)))]
    path = tmp_path / "x.npz"
    path.write_bytes(mutated)
    try:
        loaded = checkpoint.load(path)
        checkpoint.check(loaded, ARRAYS)
    except UserError:
        return
    assert {name: array.tobytes() for name, array in loaded.arrays.items()} == {
        name: array.tobytes() for name, array in ARRAYS.items()
    }
    assert loaded.meta == {"format": checkpoint.FORMAT, **META}
