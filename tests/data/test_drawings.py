"""Drawings of any size and colour come out as MNIST's digits are made, and what is none is refused."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from lenet.data import Mnist5k
from lenet.data.drawings import MAX_SIDE, prepare
from lenet.data.framing import Framing, centre_of_mass, framing_of
from lenet.errors import UserError

MNIST = Framing(like_mnist=True, background="dark")
PLAIN = Framing(like_mnist=False, background=None)
SHAPE = (1, 28, 28)
ALIKE = 0.4
"""What two digits drawn alike differ by at most, as a share of their ink; two that are not, by far more."""


@pytest.fixture(scope="module")
def digits():
    return Mnist5k().load(0).train_images


def png(image, **options):
    file = io.BytesIO()
    image.save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def drawn(digit, scale=5, margin=40, ink=(255, 255, 255), paper=(0, 0, 0)):
    """Return a digit `(28, 28)` drawn large on paper, off its centre, in colour."""
    size = 28 * scale
    level = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    mask = Image.new("L", (size + 2 * margin, size + margin), 0)
    mask.paste(level, (margin // 3, margin // 2))
    return Image.composite(Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, paper), mask)


def as_mnist(data, name="it"):
    return prepare(data, name, "mnist", MNIST, SHAPE)


def unlike(data, digit):
    """Return by what share of its ink a prepared image differs from a digit, moved by a pixel at most."""
    image = as_mnist(data)[0].astype(float)
    moved = [np.roll(image, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return min(np.abs(each - digit).sum() for each in moved) / digit.sum(dtype=float)


VARIANTS = {
    "as it is": lambda digit: png(Image.fromarray(digit)),
    "inverted": lambda digit: png(Image.fromarray(255 - digit)),
    "large": lambda digit: png(drawn(digit)),
    "dark on light": lambda digit: png(drawn(digit, 7, 90, (0, 0, 0), (255, 255, 255))),
    "blue on yellow": lambda digit: png(drawn(digit, 4, 31, (0, 0, 160), (255, 240, 120))),
    "faint": lambda digit: png(drawn(digit, 4, 50, (150, 150, 150), (110, 110, 110))),
    "JPEG": lambda digit: png(drawn(digit, 6, 50, (20, 20, 20), (230, 230, 230)), format="JPEG", quality=60),
    "GIF": lambda digit: png(drawn(digit).convert("P"), format="GIF"),
    "BMP": lambda digit: png(drawn(digit), format="BMP"),
    "TIFF": lambda digit: png(drawn(digit).convert("L"), format="TIFF"),
    "CMYK": lambda digit: png(drawn(digit).convert("CMYK"), format="TIFF"),
    "16 bits": lambda digit: png(Image.fromarray((np.asarray(drawn(digit).convert("L")).astype(np.uint16)) * 16)),
    "float": lambda digit: png(Image.fromarray(np.asarray(drawn(digit).convert("L"), np.float32) / 255), format="TIFF"),
    "huge": lambda digit: png(drawn(digit, 45, 300).convert("L")),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_digit_comes_out_as_it_was(digits, variant):
    for digit, other in zip(digits[:1000:200, 0], digits[1:1001:200, 0], strict=True):
        data = VARIANTS[variant](digit)
        assert unlike(data, digit) < ALIKE < unlike(data, other)
        image = as_mnist(data)[0]
        sides = [np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for axis in (0, 1)]
        assert max(sides) in (19, 20)
        assert centre_of_mass(image) == (14, 14)


@pytest.mark.parametrize(
    ("ink", "paper", "corner"), [(0, None, None), (255, None, None), (0, 255, None), (255, 0, None), (0, 255, 1)]
)
def test_what_is_transparent_is_paper(digits, ink, paper, corner):
    digit = digits[3, 0]
    levels = np.asarray(drawn(digit).convert("L"))
    alpha = levels if paper is None else np.full_like(levels, 255)
    grey = np.full_like(levels, ink) if paper is None else np.asarray(drawn(digit, ink=(ink,) * 3, paper=(paper,) * 3))
    grey = grey if grey.ndim == 2 else grey[:, :, 0]
    if corner:  # of a page whose corners are cut off, and black beneath
        alpha = alpha.copy()
        grey = grey.copy()
        alpha[:15, :15] = grey[:15, :15] = 0
    assert unlike(png(Image.fromarray(np.dstack([grey] * 3 + [alpha]))), digit) < ALIKE


def test_what_is_made_so_already_stays_as_it_is(digits):
    for digit in digits[:20]:
        np.testing.assert_array_equal(as_mnist(png(Image.fromarray(digit[0]))), digit)
        np.testing.assert_array_equal(as_mnist(png(Image.fromarray(255 - digit[0]))), digit)


def test_specks_and_noise_are_no_part_of_a_drawing(digits):
    generator = np.random.default_rng(0)
    for digit in digits[:3, 0]:
        page = np.asarray(drawn(digit, 6, 60, (30,) * 3, (235,) * 3).convert("L")).astype(float)
        page += generator.normal(0, 4, page.shape)
        page[2:5, 2:5] = page[-6:-3, 40:43] = 60
        assert unlike(png(Image.fromarray(page.clip(0, 255).astype(np.uint8))), digit) < ALIKE


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize(("size", "darker"), [(200, 0.02), (200, 0.05), (200, 0.1), (200, 0.2), (400, 0.1), (400, 0.2)])
def test_a_page_whose_corners_are_darker_does_not_decide_what_is_ink(digits, size, darker, light):
    across = np.linspace(-1, 1, 800) ** 2
    page = 200 * (1 - darker * (across + across[:, None]) / 2)
    start = (800 - size) // 2
    ink = Image.fromarray(digits[0, 0]).resize((size, size), Image.Resampling.BICUBIC)
    page[start : start + size, start : start + size] -= 0.55 * np.asarray(ink)
    page = page.round().astype(np.uint8)
    assert unlike(png(Image.fromarray(255 - page if light else page)), digits[0, 0]) < ALIKE


def test_a_thin_pen_comes_out_as_strong_as_mnists():
    page = np.full((480, 480), 255, np.uint8)
    page[40:440, 238:242] = page[40:44, 238:340] = 0
    assert as_mnist(png(Image.fromarray(page))).max() == 255


def test_dots_far_apart_are_a_drawing_however_faint_they_become():
    page = np.full((1000, 1000), 255, np.uint8)
    page[10, 10] = page[980, 500] = 0
    found = as_mnist(png(Image.fromarray(page)))
    assert found.max() == 255
    assert np.count_nonzero(found) < 10


def test_an_image_is_turned_upright_by_its_exif_tag_and_of_several_frames_the_first_counts(digits):
    digit = digits[0, 0]
    exif = Image.Exif()
    exif[0x0112] = 6  # is to be turned by 90° clockwise
    assert unlike(png(drawn(digit).rotate(90, expand=True), exif=exif), digit) < ALIKE
    others = [drawn(other) for other in digits[1:4, 0]]
    for form in ("GIF", "TIFF"):
        assert unlike(png(drawn(digit), format=form, save_all=True, append_images=others), digit) < ALIKE


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read as an image"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read as an image"),
        (b"<svg/>", "cannot be read as an image"),
        (png(Image.new("L", (50, 40), 77)), "nothing lighter or darker than its background"),
        (png(Image.new("RGBA", (50, 40))), "nothing lighter or darker than its background"),
        (png(drawn(np.full((28, 28), 255, np.uint8), ink=(255, 0, 0), paper=(0, 130, 0))), "nothing lighter or darker"),
        (png(Image.new("1", (1, 1))), "nothing lighter or darker than its background"),
        (png(Image.new("I;16", (50, 40), 999)), "nothing lighter or darker than its background"),
        (png(Image.new("L", (MAX_SIDE + 1, 1))), f"1 to {MAX_SIDE} a side"),
        (png(Image.new("1", (8200, 8200))), "67,108,864 in all"),
        (png(Image.fromarray(np.full((4, 4), np.nan, np.float32)), format="TIFF"), "not finite"),
        (png(Image.new("RGB", (60, 60), "red"), format="JPEG")[:400], "it: "),
    ],
    ids=[f"case {number}" for number in range(12)],
)
def test_what_is_no_drawing_is_refused(data, said):
    with pytest.raises(UserError, match=said):
        as_mnist(data)


def test_a_small_file_that_would_unpack_to_much_is_refused_before_it_is(digits):
    bomb = bytearray(png(Image.new("1", (8, 8))))
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    with pytest.raises(UserError, match=r"^it: found too many pixels; accepted: 67,108,864 in all\.$"):
        as_mnist(bytes(bomb))


def test_for_other_networks_images_are_resized_and_put_on_paper_like_theirs(digits):
    image = Image.fromarray(np.repeat(np.arange(60, dtype=np.uint8)[:, None] * 3, 90, axis=1))
    plain = prepare(png(image), "it", "resized", PLAIN, (1, 16, 20))
    np.testing.assert_array_equal(plain[0], np.asarray(image.resize((20, 16), Image.Resampling.BILINEAR)))
    colour = prepare(png(image.convert("RGB")), "it", "resized", PLAIN, (3, 16, 20))
    np.testing.assert_array_equal(colour, np.repeat(plain, 3, axis=0))
    light = Framing(like_mnist=False, background="light")
    for framing, other in ((light, False), (Framing(like_mnist=False, background="dark"), True)):
        page = png(Image.fromarray(255 - digits[0, 0]))
        found = prepare(page, "it", "resized", framing, SHAPE)
        np.testing.assert_array_equal(found, digits[:1, 0] if other else 255 - digits[:1, 0])


@pytest.mark.parametrize("shape", [SHAPE, (3, 28, 28)])
def test_for_other_networks_a_drawing_on_transparency_is_seen_whether_dark_or_light(digits, shape):
    digit = digits[3, 0]
    for ink, seen in ((0, 255 - digit), (255, digit)):
        page = np.dstack([np.full((28, 28, 3), ink, np.uint8), digit])
        found = prepare(png(Image.fromarray(page)), "it", "resized", PLAIN, shape)
        np.testing.assert_array_equal(found, np.broadcast_to(seen, shape))


@pytest.mark.parametrize(("mode", "colour"), [("L", 255), ("RGB", "black"), ("RGB", "green"), ("RGBA", (0, 0, 0, 0))])
def test_for_other_networks_what_is_one_colour_all_over_is_refused(mode, colour):
    blank = Image.new(mode, (50, 40), colour)
    for channels in (1, 3):
        with pytest.raises(UserError, match=r"^it: found one colour all over; accepted: a picture\.$"):
            prepare(png(blank), "it", "resized", PLAIN, (channels, 28, 28))


def test_raw_is_as_it_is_and_of_the_networks_size(digits):
    data = png(Image.fromarray(255 - digits[0, 0]))
    np.testing.assert_array_equal(prepare(data, "it", "raw", MNIST, SHAPE), 255 - digits[0])
    with pytest.raises(UserError, match="found 28 x 28 pixels; accepted with --raw: 16 x 28"):
        prepare(data, "it", "raw", MNIST, (1, 16, 28))


def test_images_tell_how_they_were_made(digits):
    assert framing_of(digits) == MNIST
    assert framing_of(digits[:3]) == MNIST
    assert framing_of(255 - digits) == Framing(like_mnist=False, background="light")
    assert framing_of(np.roll(digits, 2, axis=2)) == Framing(like_mnist=False, background="dark")
    assert framing_of(np.repeat(digits, 3, axis=1)) == PLAIN
    assert framing_of(np.zeros((5, 1, 28, 28), np.uint8)).like_mnist is False
    noise = np.random.default_rng(0).integers(0, 256, (50, 1, 28, 28), np.uint8)
    assert framing_of(noise) == PLAIN
