"""Decoding of image files to float arrays."""

import cv2
import numpy as np

from ..errors import UserError

COLORS = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE}


def decode_image(content: bytes, path: str, color: str) -> np.ndarray:
    """An encoded image as (H, W, 3) RGB or (H, W, 1) gray, float32 in [0, 1].

    Images have 8 or 16 bits per sample. Alpha is dropped; gray and colour are converted to what `color` asks for.

    Args:
        content: the bytes of the file.
        path: the file's path, for error messages.
        color: 'rgb' or 'gray'.

    Raises:
        UserError: OpenCV cannot decode it, or it has another bit depth; names the path.
    """
    image = cv2.imdecode(np.frombuffer(content, np.uint8), COLORS[color] | cv2.IMREAD_ANYDEPTH) if content else None
    if image is None:
        raise UserError(f"{path}: OpenCV cannot decode it")
    if image.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path}: images must have 8 or 16 bits per sample, got {image.dtype}")
    image = image.astype(np.float32) / np.iinfo(image.dtype).max
    return image[..., None] if color == "gray" else np.ascontiguousarray(image[..., ::-1])
