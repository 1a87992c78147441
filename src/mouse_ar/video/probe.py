"""What a video really contains: size, codec, counted frames and their timestamps.

Headers lie about the number of frames and about the rate, so frames are counted. The fast way
lists the packets without decoding them; it is accepted only when every packet has a timestamp of
its own, the clock never steps back, *and* the first frames and the whole last group of pictures
decode to exactly the listed timestamps. Files with cut-off tails, leading pictures that cannot be
shown, joined recordings, or containers whose timestamps are in decoding order (H.264 in AVI) fail
that check and are decoded in full instead.
What remains is damage in the middle of a sound file; the readers notice it and say so
(see :mod:`mouse_ar.video.reader`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mouse_ar.video._claims import REORDER_FRAMES, Header, Packets, list_packets, read_header
from mouse_ar.video._container import VideoError, decoded_frames, open_stream

__all__ = ["FrameIndex", "VideoError", "VideoMeta", "probe"]

_HEAD_FRAMES = 2 * REORDER_FRAMES
_PROBE_THREADS = 2
_FROM_START = np.zeros(1, dtype=np.int64)
_SQUARE = 0.02  # resizing to whole pixels leaves shapes such as 748:747, which nobody sees
_JITTER = 0.1  # a frame may be this share of the usual interval early or late


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """How readers find a frame again.

    Args:
        pts_T: int64 (T,), timestamp labels in stream time base, in order of presentation; each
            occurs once, but they need not ascend. Empty when the file has no usable labels:
            frames can then only be counted from the start.
        keyframes: int64 (K,), ascending frame indices at which decoding can start.
    """

    pts_T: NDArray[np.int64]
    keyframes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class VideoMeta:
    """Facts about one video; pixels are counted as stored, after rotation.

    Where they are not square, ``warnings`` says so: boxes and clips keep to the stored ones.

    Args:
        path: the file.
        codec: name of the codec, e.g. ``h264``.
        pixel_format: of the coded picture, e.g. ``yuv420p``.
        width: in pixels, as delivered by the readers (rotation metadata applied).
        height: in pixels, as delivered by the readers.
        rotation: counter-clockwise degrees (0, 90, 180, 270) that the readers apply.
        num_frames: frames that the readers deliver.
        timestamps_seconds: float64 (T,), strictly ascending presentation times; the first need
            not be 0.
        fps: average frames per second.
        is_vfr: whether the time between frames varies by more than 10 % (and a clock tick).
        duration_seconds: num_frames / fps, that is, including the last frame's own duration.
        warnings: what is odd about the file, for the user; empty for a sound one.
        is_damaged: whether part of the announced pictures is missing. Readers then decode with
            one thread, as frame threads lose good frames beside a broken one.
        frame_index: for the readers.
    """

    path: Path
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    num_frames: int
    timestamps_seconds: NDArray[np.float64]
    fps: float
    is_vfr: bool
    duration_seconds: float
    warnings: tuple[str, ...]
    is_damaged: bool
    frame_index: FrameIndex = field(repr=False)


def probe(path: Path | str) -> VideoMeta:
    """Read a video's facts; see the module docstring for how frames are counted.

    A file that breaks off works up to the damage, and ``warnings`` tells what is missing.

    Raises:
        VideoError: the file is missing, no video, or no frame of it can be decoded.
    """
    path = Path(path)
    container, stream = open_stream(path, threads=_PROBE_THREADS)
    with container:
        header = read_header(container, stream)
        listed = list_packets(path, container, stream)
    index = _index_of(listed)
    container, stream = open_stream(path, threads=_PROBE_THREADS)
    with container:
        frames = decoded_frames(path, container, stream)
        first = next(frames, None)
        if first is None:
            raise VideoError(
                path,
                "has a video stream, but not a single frame of it can be decoded "
                f"({len(listed.pts)} packets found). Record or export it again.",
            )
        head = [first.pts, *(frame.pts for frame in islice(frames, _HEAD_FRAMES - 1))]
        if index is not None and not _agrees(path, container, stream, index, head):
            index = None
    num_frames = len(index.pts_T) if index else 0
    if index is None:
        # Frame threads lose good frames beside a broken one, so this pass uses a single thread.
        container, stream = open_stream(path, threads=1)
        with container:
            index, num_frames = _index_by_decoding(decoded_frames(path, container, stream))
    in_header = header.num_frames - listed.num_hidden - listed.num_dropped
    announced = max(len(listed.pts), in_header) - listed.num_cut_off(first.pts)
    return _describe(path, header, first, index, num_frames, announced)


def _index_of(listed: Packets) -> FrameIndex | None:
    """The index that the packets suggest; None unless each has its own time on a running clock."""
    known = [label for label in listed.pts if label is not None]
    if len(set(known)) < len(listed.pts) or not any(listed.keys):
        return None
    pts = np.array(known, dtype=np.int64)
    order = np.argsort(pts)
    moved = np.abs(order - np.arange(len(order)))
    dts = np.array([label for label in listed.dts if label is not None], dtype=np.int64)
    if moved.max() > REORDER_FRAMES or np.any(np.diff(dts) <= 0):
        return None
    return FrameIndex(pts_T=pts[order], keyframes=np.flatnonzero(np.array(listed.keys)[order]))


def _agrees(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    index: FrameIndex,
    head: list[int | None],
) -> bool:
    """Whether the head and the last group of pictures decode to the listed labels."""
    if head != index.pts_T[: len(head)].tolist():
        return False
    last_key = index.pts_T[index.keyframes[-1]]
    try:
        container.seek(int(last_key), stream=stream)
    except (av.FFmpegError, OSError):
        return False
    tail = [f.pts for f in decoded_frames(path, container, stream)]
    wanted: list[int | None] = index.pts_T[index.keyframes[-1] :].tolist()
    return tail[-len(wanted) :] == wanted


def _index_by_decoding(frames: Iterable[VideoFrame]) -> tuple[FrameIndex, int]:
    labels: list[int | None] = []
    keys: list[bool] = []
    for frame in frames:
        labels.append(frame.pts)
        keys.append(frame.key_frame and not frame.is_corrupt)
    known = [label for label in labels if label is not None]
    if len(set(known)) < len(labels):
        nothing = np.empty(0, dtype=np.int64)
        return FrameIndex(pts_T=nothing, keyframes=_FROM_START), len(labels)
    keyframes = np.flatnonzero(np.array(keys))
    return (
        FrameIndex(
            pts_T=np.array(known, dtype=np.int64),
            keyframes=keyframes if len(keyframes) else _FROM_START,
        ),
        len(labels),
    )


def _describe(
    path: Path,
    header: Header,
    first: VideoFrame,
    index: FrameIndex,
    num_frames: int,
    announced: int,
) -> VideoMeta:
    timestamps: NDArray[np.float64]
    pts_T = index.pts_T
    is_timed = len(pts_T) == num_frames and bool(np.all(np.diff(pts_T) > 0))
    if is_timed:
        timestamps = (pts_T * header.tick_seconds).astype(np.float64)
    else:
        timestamps = np.arange(num_frames, dtype=np.float64) / header.fps
    span_seconds = float(timestamps[-1] - timestamps[0])
    fps = (num_frames - 1) / span_seconds if span_seconds > 0 else header.fps
    rotation = round(first.rotation / 90) * 90 % 360
    size = (first.width, first.height)
    width, height = size[::-1] if rotation % 180 else size
    warnings = []
    if not is_timed:
        warnings.append(
            "the file has no usable presentation times (missing, repeated or out of order): "
            f"a constant {header.fps:g} frames per second is assumed."
        )
    if abs(header.pixel_aspect - 1) > _SQUARE:
        warnings.append(
            f"its pixels are not square ({header.pixel_aspect.numerator}:"
            f"{header.pixel_aspect.denominator}): players stretch the picture, clips of it and "
            "overlays show it as stored."
        )
    missing = _missing(
        header, num_frames, announced, float(timestamps[-1]) + 1 / fps, is_timed=is_timed
    )
    if missing:
        warnings.append(missing)
        if not is_timed:  # seeking would be guesswork
            index = replace(index, keyframes=_FROM_START)
    return VideoMeta(
        path=path,
        codec=header.codec,
        pixel_format=first.format.name,
        width=width,
        height=height,
        rotation=rotation,
        num_frames=num_frames,
        timestamps_seconds=timestamps,
        fps=fps,
        is_vfr=_varies(timestamps, header.tick_seconds),
        duration_seconds=num_frames / fps,
        warnings=tuple(warnings),
        is_damaged=missing is not None,
        frame_index=index,
    )


def _missing(
    header: Header, num_frames: int, announced: int, end_seconds: float, *, is_timed: bool
) -> str | None:
    """A warning when the file holds clearly less than it announces."""
    readable = f"only {num_frames} frames (up to {end_seconds:.1f} s) can be read"
    if announced > num_frames:
        return (
            f"{announced} frames are announced, but {readable}: part of the file is missing "
            "or damaged."
        )
    if is_timed and header.end_seconds - end_seconds > max(1.0, 0.01 * header.end_seconds):
        return (
            f"a length of {header.end_seconds:.1f} s is announced, but {readable}: the end of "
            "the file is missing."
        )
    return None


def _varies(timestamps: NDArray[np.float64], tick_seconds: float) -> bool:
    steps = np.diff(timestamps)
    if not len(steps):
        return False
    usual = float(np.median(steps))
    return bool(np.any(np.abs(steps - usual) > max(_JITTER * usual, 1.5 * tick_seconds)))
