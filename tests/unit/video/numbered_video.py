"""Small videos whose frames carry their own number, so that every frame can be told apart."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS = 10
CODE_PX = 16


def numbered_frame(number: int, *, width: int, height: int) -> NDArray[np.uint8]:
    """A picture with its number as black and white blocks along the top, colors below."""
    y, x = np.mgrid[:height, :width]
    frame_HWC = np.stack([x * 200 // width, y * 200 // height, np.full_like(x, 90)], axis=-1)
    block = width // BITS
    for bit in range(BITS):
        frame_HWC[:CODE_PX, bit * block : (bit + 1) * block] = 255 * (number >> bit & 1)
    return frame_HWC.astype(np.uint8)


def number_of(frame_HWC: NDArray[np.uint8]) -> int:
    """The number of a frame, read back from its picture."""
    block = frame_HWC.shape[1] // BITS
    code = frame_HWC[4 : CODE_PX - 4].mean(axis=(0, 2))
    return sum(
        int(code[bit * block + 3 : (bit + 1) * block - 3].mean() > 127) << bit
        for bit in range(BITS)
    )


def damage(path: Path, *, start: float, num_bytes: int) -> None:
    """Overwrite bytes with zeros, from a share of the file on."""
    data = bytearray(path.read_bytes())
    first = int(len(data) * start)
    data[first : first + num_bytes] = bytes(len(data[first : first + num_bytes]))
    path.write_bytes(data)


def truncate(path: Path, share: float) -> None:
    """Keep only the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def write_sound(path: Path) -> None:
    """A second of sound without pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 44100), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_without_frames(path: Path) -> None:
    """A valid file with a video stream that holds nothing."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
