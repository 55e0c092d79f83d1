"""Image files of one grey level."""

from pathlib import Path

from PIL import Image


def draw(path: Path, value: int = 100, size: tuple[int, int] = (5, 6), mode: str = "L") -> Path:
    """Write an image of one grey level; `size` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size[1], size[0]), value).convert(mode).save(path)
    return path
