"""One image file to pixels: every kind that is accepted, and one clear error for what is none."""

import errno
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lenet.data.image_files import read_image
from lenet.errors import UserError
from tests.data.drawn import draw


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    pixels = read_image(draw(tmp_path / f"image.{suffix}", 100), 1, None)
    assert pixels.shape == (1, 5, 6)
    assert abs(int(pixels[0, 0, 0]) - 100) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_every_mode_becomes_grey_levels_or_rgb(tmp_path: Path, mode: str) -> None:
    path = draw(tmp_path / "image.png", 255, mode=mode)
    assert np.array_equal(read_image(path, 1, None), np.full((1, 5, 6), 255))
    assert np.array_equal(read_image(path, 3, None), np.full((3, 5, 6), 255))


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_transparent_pixels_are_as_on_paper_that_shows_the_drawing(tmp_path: Path, ink: int, paper: int) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((0, 0), (ink, ink, ink, 255))
    image.save(tmp_path / "image.png")
    assert read_image(tmp_path / "image.png", 1, None).tolist() == [[[ink, paper]]]


def test_16_bit_grey_levels_keep_their_upper_8_bits(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0x1234, 0xFFFF]], np.uint16)).save(tmp_path / "image.png")
    assert read_image(tmp_path / "image.png", 1, None).tolist() == [[[0, 0x12, 0xFF]]]


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_32_bit_grey_levels_are_spread_from_the_darkest_to_the_lightest(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "image.tiff"
    Image.fromarray(np.array([[-1000, 0, 1000]], kind)).save(path)
    assert read_image(path, 1, None).tolist() == [[[0, 128, 255]]]
    assert read_image(path, 3, None).tolist() == [[[0, 128, 255]]] * 3
    with pytest.raises(UserError, match=r"found 32-bit pixels \(mode .\); accepted: 8 or 16 bits a channel"):
        read_image(path, 1, None, as_is=True)


def test_floats_from_0_to_1_are_black_to_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 0.2, 1.0]], np.float32)).save(tmp_path / "image.tiff")
    assert read_image(tmp_path / "image.tiff", 1, None).tolist() == [[[0, 51, 255]]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_floats_that_cannot_be_grey_levels_are_refused(tmp_path: Path, value: float) -> None:
    Image.fromarray(np.array([[-3e38, 0, value]], np.float32)).save(tmp_path / "image.tiff")
    with pytest.raises(UserError, match=r"image\.tiff: found pixels that are not finite, or too far apart"):
        read_image(tmp_path / "image.tiff", 1, None)


def test_what_is_no_file_is_called_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    said = {
        "": "found a folder; accepted: an image",
        "pipe": "found a pipe or device, no regular file; accepted: an image",
        "link": "found no such file; accepted: an image",
        "x" * 300: r"cannot be read \(File name too long\)\.$",
    }
    for name, words in said.items():
        with pytest.raises(UserError, match=f"^{tmp_path / name}: {words}"):
            read_image(tmp_path / name, 1, None)


def test_a_file_that_may_not_be_read_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, **keywords: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(source))

    path = draw(tmp_path / "image.png")
    monkeypatch.setattr(Image, "open", refuse)  # root may read everything
    with pytest.raises(UserError) as error:
        read_image(path, 1, None)
    assert str(error.value) == f"{path}: cannot be read (Permission denied)."


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("L", (6, 5)).save(tmp_path / "image.jpg", exif=exif)
    assert read_image(tmp_path / "image.jpg", 1, None).shape == (1, 6, 5)


def test_colours_of_a_kind_that_is_not_read_are_called_so(tmp_path: Path) -> None:
    Image.new("LAB", (6, 5)).save(tmp_path / "image.tiff")
    with pytest.raises(UserError, match=r"image\.tiff: found colours of the kind LAB; accepted: black and white, grey"):
        read_image(tmp_path / "image.tiff", 1, None)


UPRIGHT = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).T,
    8: np.rot90,
}
"""What turns pixels upright, by the orientation (EXIF 2.3, table 6)."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_tiff_is_turned_upright_from_a_path_as_from_bytes(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "image.tiff"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.arange(30, dtype=np.uint8).reshape(5, 6)
    Image.fromarray(stored).save(path, exif=exif)
    turned = UPRIGHT[orientation](stored).tolist()
    assert read_image(path, 1, None).tolist() == read_image(path.read_bytes(), 1, None).tolist() == [turned]


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(buffer, format=form)
    return buffer.getvalue()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), form=st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "TIFF"]))
def test_a_mutated_image_is_read_or_refused_and_nothing_else(data: st.DataObject, form: str) -> None:
    content = bytearray(encoded(form))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(min_size=1, max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        path.write_bytes(content)
        try:
            pixels = read_image(path, 1, None)
        except UserError as error:
            refusal = str(error)
        else:
            refusal = f"{path}: none"
            assert (pixels.dtype, pixels.shape[0]) == (np.uint8, 1)
        assert refusal.startswith(f"{path}: ")
