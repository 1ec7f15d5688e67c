"""Image files of any kind that OpenCV reads, as one kind of array."""

import cv2
import numpy as np

from ..errors import UserError

COLORS = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE}


def decode_image(content: bytes, path: str, color: str) -> np.ndarray:
    """An encoded image as (H, W, 3) RGB or (H, W, 1) gray, float32 in [0, 1].

    8 and 16 bits per sample. Alpha is dropped; gray becomes three equal channels, colour becomes luma, as asked for.

    Args:
        content: of the file.
        path: for the message of an error.
        color: 'rgb' or 'gray'.

    Raises:
        UserError: it is no such image; names the path.
    """
    image = cv2.imdecode(np.frombuffer(content, np.uint8), COLORS[color] | cv2.IMREAD_ANYDEPTH) if content else None
    if image is None:
        raise UserError(f"{path}: OpenCV finds no image in it")
    if image.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path}: images have 8 or 16 bits per sample, this one is {image.dtype}")
    image = image.astype(np.float32) / np.iinfo(image.dtype).max
    return image[..., None] if color == "gray" else np.ascontiguousarray(image[..., ::-1])
