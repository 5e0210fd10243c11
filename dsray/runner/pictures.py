"""Images as data URIs, for records and requests."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def png_base64(image: np.ndarray) -> str:
    """image: (channels, height, width) numbers in [0, 1] -> base64 PNG."""
    pixels = np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def data_uri(image: np.ndarray) -> str:
    """`png_base64` as what an <img> reads."""
    return f"data:image/png;base64,{png_base64(image)}"
