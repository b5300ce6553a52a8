"""Image files for the tests, in forms that Pillow reads but does not write."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def put_deep_png(path: Path, pixels: Any) -> None:
    """Write a PNG of 16 bits a channel: grey [h, w], or RGB [h, w, 3]."""
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
        for tag, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def put_deep_pgm(path: Path, pixels: Any, largest: int = 65535) -> None:
    """Write a PGM of 16 bits, whose white is ``largest``."""
    height, width = pixels.shape
    head = f"P5\n{width} {height}\n{largest}\n".encode()
    path.write_bytes(head + pixels.astype(">u2").tobytes())
