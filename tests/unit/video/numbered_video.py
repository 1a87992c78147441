"""Small videos whose frames carry their own number, so that every frame can be told apart."""

from __future__ import annotations

import re
import struct
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


def copy_packets(source: Path, target: Path, *, start: int) -> None:
    """Copy a video's packets, from one on, without decoding: what cutting tools do."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in list(old.demux(video=0))[start:]:
            if packet.size:
                packet.stream = stream
                new.mux(packet)


def turn_back_clusters(path: Path, *, start: int, milliseconds: int) -> None:
    """Let the clock of a Matroska file step back at one of its clusters."""
    data = bytearray(path.read_bytes())
    places = [m.end() for m in re.finditer(rb"\x1f\x43\xb6\x75.{2,14}?\xe7\x82", data, re.DOTALL)]
    for place in places[start:]:
        (time,) = struct.unpack_from(">H", data, place)
        struct.pack_into(">H", data, place, time - milliseconds)
    path.write_bytes(data)


def empty_samples(path: Path, numbers: list[int]) -> None:
    """Turn frames of a small MP4 into dropped ones: entries of size 0 in its table of sizes."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    sizes, media = data.index(b"stsz") + 16, data.index(b"mdat") - 4  # ISO 14496-12
    assert media < sizes  # so that the offsets in front stay true
    for number in sorted(numbers, reverse=True):
        position, size = places[number]
        struct.pack_into(">I", data, sizes + 4 * number, 0)
        struct.pack_into(">I", data, media, struct.unpack_from(">I", data, media)[0] - size)
        del data[position : position + size]
        sizes -= size
    path.write_bytes(data)


def write_with_sound(path: Path, *, num_frames: int, sound_seconds: float) -> None:
    """A numbered video at 25 fps with silence beside it."""
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("mpeg4", rate=25), container.add_stream("aac", 44100)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        num_samples = round(sound_seconds * 44100)
        for number in range(max(num_frames, num_samples // 1764 + 1)):  # 1/25 s of sound each
            if number < num_frames:
                picture_HWC = numbered_frame(number, width=160, height=120)
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture_HWC)))
            count = min(1764, num_samples - number * 1764)
            if count > 0:
                silence = np.zeros((1, count), dtype=np.float32)
                samples = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
                samples.sample_rate, samples.pts = 44100, number * 1764
                container.mux(sound.encode(samples))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


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
