"""Pictures in temporary files, and as a browser shows them."""

import io
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from ..images.formats import FORMATS, Format, format_of
from ..images.picture import Picture
from ..images.reading import decode_picture

MOST_SHOWN = 40_000_000  # pixels; browsers fail or become slow beyond


@dataclass(frozen=True)
class Upload:
    """A picture from the browser.

    Attributes:
        id: as the page names it in its requests.
        name: of the file on the user's disk, without folders.
        picture: its samples are in temporary files.
    """

    id: str
    name: str
    picture: Picture

    def describe(self) -> dict:
        """What the page has to know of it, as JSON."""
        return {
            "id": self.id,
            "name": self.name,
            **describe(self.picture),
            "notes": self.picture.notes,
            "formats": formats_for(self),
            "format": default_format(self),
        }


def read_upload(id: str, name: str, content: bytes, folder: Path) -> Upload:
    """Decode a picture; UserError if it is damaged or not supported."""
    name = clean_name(name)
    return Upload(id, name, to_disk(decode_picture(content, name), folder / id))


def clean_name(name: str) -> str:
    """The last part of a path, without control characters, of at most 200 characters."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(letter for letter in name if letter.isprintable())
    return name[-200:].strip(" .") or "picture"


def to_disk(picture: Picture, stem: Path) -> Picture:
    """The same picture with its samples in files stem.npy and stem-alpha.npy, which are read when they are needed."""
    alpha = None if picture.alpha is None else _mapped(picture.alpha, stem.with_name(f"{stem.name}-alpha.npy"))
    return replace(picture, pixels=_mapped(picture.pixels, stem.with_name(f"{stem.name}.npy")), alpha=alpha)


def _mapped(samples: np.ndarray, file: Path) -> np.ndarray:
    np.save(file, samples)
    return np.load(file, mmap_mode="r")


def describe(picture: Picture) -> dict:
    """Size and kind of a picture, as JSON; `reduction` is the factor by which its preview is smaller."""
    height, width, channels = picture.pixels.shape
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "bits": 16 if picture.largest > 255 else 8,
        "alpha": picture.alpha is not None,
        "reduction": reduction(picture),
    }


def reduction(picture: Picture) -> int:
    height, width = picture.pixels.shape[:2]
    return max(1, int(np.ceil(np.sqrt(height * width / MOST_SHOWN))))


def preview(picture: Picture) -> bytes:
    """A PNG of 8 bits with the colour profile, reduced if the picture is very large."""
    from PIL import Image

    small = picture.in_8_bits()
    samples = small.pixels if small.alpha is None else np.dstack([small.pixels, small.alpha])
    image = Image.fromarray(samples[..., 0] if samples.shape[-1] == 1 else samples)
    image = image.reduce(reduction(picture)) if reduction(picture) > 1 else image
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, **({"icc_profile": picture.profile} if picture.profile else {}))
    return buffer.getvalue()


def formats_for(upload: Upload) -> list[dict]:
    """The formats that can hold it, and the name of the restored file in each, as JSON."""
    return [
        {"id": id, "label": format.name, "quality": format.quality, "name": download_name(upload, format)}
        for id, format in FORMATS.items()
        if format.alpha or upload.picture.alpha is None
    ]


def default_format(upload: Upload) -> str:
    """The format of the uploaded file, or PNG where that cannot be written."""
    own = format_of(upload.name)
    names = [each["id"] for each in formats_for(upload)]
    return next((name for name in names if FORMATS[name] is own), "png")


def download_name(upload: Upload, format: Format) -> str:
    """The name of the restored file: photo.jpg -> photo_restored.jpg."""
    name = PurePosixPath(upload.name)
    suffix = name.suffix if name.suffix.lower() in format.suffixes else format.suffixes[0]
    return f"{name.stem}_restored{suffix}"
