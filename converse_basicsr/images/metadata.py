"""EXIF data: what describes a picture is kept, what describes the storage of its pixels is not."""

from PIL import ExifTags, Image

_DESCRIPTIVE = {
    *(270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432),  # title, camera, resolution, date, artist, copyright
    *(18246, 18249, 40091, 40092, 40093, 40094, 40095),  # Windows: rating, title, comment, author, keywords, subject
}
_FOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_SIDES = (40962, 40963)  # width and height, in the Exif folder
_MAKER_NOTE = 37500
_MOST_IN_JPEG = 65533 - 8  # bytes


def read_exif(image: Image.Image) -> Image.Exif | None:
    """The descriptive EXIF data of an open image, None if there are none: no orientation, no preview, no TIFF layout.

    Raises:
        Exception: of many types, if the data are damaged.
    """
    found, kept = image.getexif(), Image.Exif()
    for tag in _DESCRIPTIVE & set(found):
        kept[tag] = found[tag]
    for folder in _FOLDERS:
        if content := dict(found.get_ifd(folder)):
            kept[folder] = content
    if not kept:
        return None
    kept.tobytes()  # raises now what writing would raise
    return kept


def exif_for(exif: Image.Exif, width: int, height: int) -> Image.Exif:
    """A copy for a picture of this size."""
    changed = Image.Exif()
    for tag, value in exif.items():
        changed[tag] = (
            {key: _stored(each) for key, each in value.items()} if isinstance(value, dict) else _stored(value)
        )
    folder = changed.get(ExifTags.IFD.Exif, {})
    for tag, side in zip(_SIDES, (width, height), strict=True):
        if tag in folder:
            folder[tag] = side
    return changed


def _stored(value: object) -> object:
    """A copy of a value, with texts as the bytes that they were read from where Pillow would write ? for them."""
    if isinstance(value, dict):
        return {key: _stored(each) for key, each in value.items()}
    return value if not isinstance(value, str) or value.isascii() else value.encode("latin-1", "replace")


def fitting_jpeg(exif: Image.Exif) -> bytes | None:
    """The EXIF data for a JPEG, which holds 64 KiB of them: without the maker's note if needed, else None."""
    content = exif.tobytes()
    if len(content) > _MOST_IN_JPEG and exif.get(ExifTags.IFD.Exif, {}).pop(_MAKER_NOTE, None):
        content = exif.tobytes()
    return content if len(content) <= _MOST_IN_JPEG else None
