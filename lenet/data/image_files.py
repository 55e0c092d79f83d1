"""One image file to pixels."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from lenet.data.dataset import MAX_SIDE
from lenet.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF")
Channels = Literal[1, 3]


def read_image(path: Path, channels: Channels, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Read an image file as (channels, height, width) bytes: grey levels or RGB, resized to `size` if
    given.

    Upright by its EXIF tag; the first frame of several; 16-bit grey levels by their upper 8 bits;
    transparent pixels as on white paper. Raises `UserError`, naming the file, when it is no image of
    `FORMATS`, is damaged, or has more than `MAX_SIDE` pixels a side, which is known before any of them is
    unpacked.
    """
    from PIL import Image, ImageOps  # imported here: other sources do without

    if not os.path.isfile(path):
        raise UserError(f"{path}: found no such file; accepted: an image ({', '.join(FORMATS)}).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, which are checked here, and tags, which are not used
            with Image.open(path, formats=FORMATS) as image:
                if max(image.size) > MAX_SIDE:
                    found = f"{image.height} x {image.width} pixels"
                    raise UserError(f"{path}: found {found}; accepted: at most {MAX_SIDE} a side.")
                if image.format == "PNG":
                    with Image.open(path, formats=["PNG"]) as whole:
                        whole.verify()  # its checksums, at which Pillow does not look otherwise
                ImageOps.exif_transpose(image, in_place=True)
                plain = _without_alpha(image, path).convert("L" if channels == 1 else "RGB")
                if size is not None:
                    plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
                pixels = np.asarray(plain)
    except UserError:
        raise
    except OSError as fault:
        raise UserError(f"{path}: cannot be read as an image ({fault}); accepted: {', '.join(FORMATS)}.") from fault
    except Exception as fault:
        # Of damaged bytes, Pillow's decoders raise a dozen unrelated types.
        reason = f"{type(fault).__name__}: {fault}"
        raise UserError(f"{path}: damaged image ({reason}); accepted: {', '.join(FORMATS)}.") from fault
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _without_alpha(image: "Image", path: Path) -> "Image":
    """Return `image` in a mode that converts to grey levels or RGB by what one sees."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise UserError(f"{path}: found 32-bit pixels (mode {image.mode}); accepted: 8 or 16 bits a channel.")
    if image.has_transparency_data:
        opaque = image if image.mode == "RGBA" else image.convert("RGBA")  # a copy of a large one is as large
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), opaque)
    return image
