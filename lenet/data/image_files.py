"""One image file to pixels."""

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Union

import numpy as np
import numpy.typing as npt

from lenet.data.dataset import MAX_SIDE
from lenet.data.framing import edge
from lenet.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF")
Channels = Literal[1, 3]
ImageFile = Union[Path, bytes, "Image"]
"""Where a file lies, what it holds, or what Pillow has read of one or drawn."""
LONG = ("I", "F")
"""Pillow's modes of grey levels of 32 bits, integers and floats: no level of theirs is known to be white."""
UNREAD = ("LAB", "La")
"""Pillow's modes that it does not convert to grey levels or RGB."""
KINDS = "black and white, grey levels, palettes, RGB, CMYK, YCbCr, with or without transparency"
SEVERAL = ("GIF", "TIFF", "PNG")
"""Formats whose frames or pages are as good as each other; a JPEG's others are previews of it."""
LOOKED_AT = 256
"""Pixels of a transparent image's longer side from which on averages tell on what paper it is to be."""
MAX_PIXELS = 2**26
"""The most pixels of an image in all, whatever its sides may be."""


def read_image(
    source: ImageFile,
    channels: Channels,
    size: tuple[int, int] | None,
    name: str | None = None,
    most: int = MAX_SIDE,
    as_is: bool = False,
) -> npt.NDArray[np.uint8]:
    """Read an image file, or its bytes, as (channels, height, width): grey levels or RGB, resized to `size` if given.

    Upright by its EXIF tag; the first frame of several; 16-bit grey levels by their upper 8 bits; those of 32 bits as
    `spread` does, or refused if they are to be taken `as_is`; transparent pixels as `paper_beneath` says. Raises
    `UserError` for what `opened` refuses.
    """
    from PIL.Image import Resampling

    name = str(source) if name is None else name
    with opened(source, name, most) as image:
        if as_is and image.mode in LONG:
            raise UserError(f"{name}: found 32-bit pixels (mode {image.mode}); accepted: 8 or 16 bits a channel.")
        plain = _without_alpha(image, name).convert("L" if channels == 1 else "RGB")
        if size is not None:
            plain = plain.resize((size[1], size[0]), Resampling.BILINEAR)
        pixels = np.asarray(plain)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


@contextmanager
def opened(source: ImageFile, name: str, most: int = MAX_SIDE) -> "Iterator[Image]":
    """Give an image, upright; `name` is what a message calls it.

    Raises `UserError`, also for what goes wrong within: it is no image of `FORMATS`, is in a mode of `UNREAD`, is
    damaged, is empty, or has more than `most` pixels a side or `MAX_PIXELS` in all, which of files is known before any
    of them is unpacked.
    """
    from PIL import ImageOps  # imported here: other sources do without

    if isinstance(source, Path):
        _check_file(source, name)
    with _faults_told(name), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sizes, which are checked here, and tags, which are not used
        with _image(source) as image:
            if not min(image.size) or max(image.size) > most or image.width * image.height > MAX_PIXELS:
                found = f"{image.height} x {image.width} pixels"
                raise UserError(f"{name}: found {found}; accepted: 1 to {most} a side, {MAX_PIXELS:,} in all.")
            if image.mode in UNREAD:
                raise UserError(f"{name}: found colours of the kind {image.mode}; accepted: {KINDS}.")
            if image.format == "PNG":
                with _image(source) as whole:
                    whole.verify()  # its checksums, at which Pillow does not look otherwise
            ImageOps.exif_transpose(image, in_place=True)
            yield image


@contextmanager
def _faults_told(name: str) -> Iterator[None]:
    """Raise `UserError`, naming the image, for whatever goes wrong within."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UserError:
        raise
    except OSError as fault:
        if fault.strerror:  # the system's own, which has nothing to do with images
            raise UserError(f"{name}: cannot be read ({fault.strerror}).") from fault
        reason = "of no known kind" if isinstance(fault, UnidentifiedImageError) else str(fault)
        raise UserError(f"{name}: cannot be read as an image ({reason}); accepted: {', '.join(FORMATS)}.") from fault
    except Image.DecompressionBombError as fault:
        raise UserError(f"{name}: found too many pixels; accepted: {MAX_PIXELS:,} in all.") from fault
    except Exception as fault:
        # Of damaged bytes, Pillow's decoders raise a dozen unrelated types.
        reason = f"{type(fault).__name__}: {fault}"
        raise UserError(f"{name}: damaged image ({reason}); accepted: {', '.join(FORMATS)}.") from fault


def frames(source: ImageFile) -> int:
    """Return how many frames or pages an image has: of what is none, or damaged, or of another format, one."""
    if isinstance(source, Path) and not source.is_file():
        return 1
    with warnings.catch_warnings(), suppress(Exception):  # what is wrong with it is said where it is read
        warnings.simplefilter("ignore")
        with _image(source, SEVERAL) as image:
            return int(getattr(image, "n_frames", 1))
    return 1


def to_image_file(picture: object) -> ImageFile:
    """Return what is an image's bytes or an image of Pillow's; raise `UserError` for anything else."""
    from PIL import Image

    if isinstance(picture, bytes | Image.Image):
        return picture
    raise UserError(
        f"images: found {type(picture).__name__}; accepted: an array (N, C, H, W) uint8, or paths or bytes of image "
        "files, or images of Pillow's, one or a list of them."
    )


def spread(levels: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    """Return grey levels spread from 0 for the darkest to 255 for the lightest, if they are at least 1 apart.

    Those less apart are spread less, by 255. Raises `UserError` for what is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        least = levels.min()
        apart = levels.max() - least
    if not np.isfinite(apart):
        raise UserError(f"{name}: found pixels that are not finite, or too far apart; accepted: grey levels.")
    grey: npt.NDArray[np.float32] = (levels - least) * np.float32(255 / max(apart, 1))
    return grey


def paper_beneath(grey: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32]) -> float:
    """Return the grey level that shows a drawing `(H, W)` with `alpha` from 0 to 1 where it is transparent.

    It is that of the paper around, if most of it is drawn, and else white or black, whichever the drawing is not.
    """
    around, opaque = edge(grey), edge(alpha) > 0.5
    if opaque.mean() > 0.5:
        return float(np.median(around[opaque]))
    ink = float((grey * alpha).sum() / max(alpha.sum(), 1e-6))
    return 255.0 if ink < 128 else 0.0


def _check_file(path: Path, name: str) -> None:
    """Raise `UserError` unless there is a regular file: reading a pipe may take for ever."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UserError(f"{name}: found no such file; accepted: an image ({', '.join(FORMATS)}).") from None
    except OSError as fault:
        raise UserError(f"{name}: cannot be read ({fault.strerror}).") from fault
    if not stat.S_ISREG(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "a pipe or device, no regular file"
        raise UserError(f"{name}: found {found}; accepted: an image ({', '.join(FORMATS)}).")


@contextmanager
def _image(source: ImageFile, formats: tuple[str, ...] = FORMATS) -> "Iterator[Image]":
    """Give Pillow's image; of one that is Pillow's already an upright copy, since its owner's is to stay as it is.

    Files are opened here: Pillow maps one given by its path into memory, and garbles TIFFs on their side.
    """
    from PIL import Image, ImageOps

    if isinstance(source, bytes):
        with Image.open(io.BytesIO(source), formats=formats) as image:
            yield image
    elif isinstance(source, Path):
        with source.open("rb") as file, Image.open(file, formats=formats) as image:
            yield image
    else:
        yield ImageOps.exif_transpose(source)


def _without_alpha(image: "Image", name: str) -> "Image":
    """Return `image` in a mode that converts to grey levels or RGB by what one sees."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in LONG:
        return Image.fromarray(spread(np.asarray(image, np.float32), name).round().astype(np.uint8))
    if image.has_transparency_data:
        drawing = image if image.mode == "RGBA" else image.convert("RGBA")  # a copy of a large one is as large
        bands = np.asarray(drawing.reduce(max(1, max(image.size) // LOOKED_AT)).convert("LA"), np.float32)
        level = round(paper_beneath(bands[:, :, 0], bands[:, :, 1] / np.float32(255)))
        return Image.alpha_composite(Image.new("RGBA", image.size, (level, level, level)), drawing)
    return image
