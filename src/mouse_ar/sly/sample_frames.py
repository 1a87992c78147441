"""A detector at work on a few frames of an instance's videos, for a person to look at."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.exchange import TransientError
from mouse_ar.detection.protocol import Detection, Detector
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.media import RemoteMedia, disk_budget
from mouse_ar.sly.videos import RemoteVideo
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import open_video

__all__ = ["draw_boxes", "fetch_frame", "sample_boxes"]

_BOX_RGB = (255, 214, 0)
_EDGE_RGB = (20, 20, 20)

Image_HWC = NDArray[np.uint8]
Progress = Callable[[str, int, int], None]


def sample_boxes(
    detector: Detector,
    connection: Connection,
    videos: Mapping[str, RemoteVideo],
    *,
    folder: Path,
    count: int = 4,
    progress: Progress | None = None,
) -> list[tuple[str, Image_HWC]]:
    """Frames with the boxes of a detector drawn into them, each with a title.

    Single frames are fetched where the detector needs no more. Background subtraction learns from
    a whole video: the smallest is fetched, and removed again.

    Args:
        detector: finds the mouse.
        connection: to the instance.
        videos: to choose from, by key.
        folder: where a whole video is put for a while.
        count: how many frames.
        progress: called with (what, bytes done, bytes in all) while a video is fetched.

    Raises:
        VideoError: a video cannot be had or read.
        TransferError: the instance failed.
    """
    usable = {key: video for key, video in videos.items() if video.frames_count}
    if not usable:
        return []
    if isinstance(detector, BackgroundSubtraction):
        key = min(usable, key=lambda k: (usable[k].size or usable[k].frames_count, k))
        media = RemoteMedia(
            connection, {key: usable[key]}, budget_bytes=disk_budget(folder), progress=progress
        )
        try:
            with media.opened(key, folder / "sample.video") as path:
                return _of_one(detector, path, key=key, count=count)
        finally:
            media.close()
    pictures = []
    for key, frame in _spread(usable, count=count):
        image_HWC = fetch_frame(connection, usable[key], frame)
        found = detector.detect(image_HWC[None])[0]
        pictures.append((_title(key, frame, found), draw_boxes(image_HWC, found)))
    return pictures


def fetch_frame(connection: Connection, video: RemoteVideo, frame: int) -> Image_HWC:
    """One frame as the instance decodes it, RGB.

    Raises:
        TransferError: it cannot be had.
    """
    what = f"fetching frame {frame} of {video.name}"

    def attempt() -> Image_HWC:
        payload = {"videoId": video.id, "frame": frame}
        with connection.open("videos.download-frame", what=what, json=payload) as response:
            content = b"".join(connection.chunks(response))
        if not _is_whole(content):
            raise TransientError(f"its answer broke off after {len(content)} bytes")
        try:
            with Image.open(io.BytesIO(content)) as picture:
                return np.asarray(picture.convert("RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise TransientError(f"its answer is no picture ({error})") from error

    return connection.retry(attempt, what=what)


def _is_whole(content: bytes) -> bool:
    """Whether a picture has its end; the SDK has Pillow fill up broken ones with black."""
    if content.startswith(b"\x89PNG"):
        return content[-8:-4] == b"IEND"
    return content.endswith(b"\xff\xd9") or not content.startswith(b"\xff\xd8")


def draw_boxes(image_HWC: Image_HWC, detections: Sequence[Detection]) -> Image_HWC:
    """A copy of a frame with its boxes."""
    drawn_HWC = image_HWC.copy()
    width = max(1, min(image_HWC.shape[:2]) // 120)
    for detection in detections:
        box = detection.box
        edges = [round(v) for v in (box.left, box.top, box.right, box.bottom)]
        for color, grow in ((_EDGE_RGB, width), (_BOX_RGB, 0)):
            _draw(drawn_HWC, edges, color=color, width=width, grow=grow)
    return drawn_HWC


def _draw(
    image_HWC: Image_HWC, edges: list[int], *, color: tuple[int, ...], width: int, grow: int
) -> None:
    """The outline of a box, ``grow`` pixels outside of it."""
    height_px, width_px = image_HWC.shape[:2]
    left, top = max(edges[0] - grow, 0), max(edges[1] - grow, 0)
    right, bottom = min(edges[2] + grow, width_px), min(edges[3] + grow, height_px)
    image_HWC[top : top + width, left:right] = color
    image_HWC[max(bottom - width, 0) : bottom, left:right] = color
    image_HWC[top:bottom, left : left + width] = color
    image_HWC[top:bottom, max(right - width, 0) : right] = color


def _of_one(detector: Detector, path: Path, *, key: str, count: int) -> list[tuple[str, Image_HWC]]:
    meta = probe(path)
    detector.prepare(path, meta=meta)
    places = np.linspace(0, meta.num_frames, count, endpoint=False) + meta.num_frames / count / 2
    frames = sorted({int(place) for place in places})
    with open_video(path) as reader:
        frames_NHWC = reader.get_batch(frames)
    found = detector.detect(frames_NHWC)
    return [
        (_title(key, frame, boxes), draw_boxes(image_HWC, boxes))
        for frame, image_HWC, boxes in zip(frames, frames_NHWC, found, strict=True)
    ]


def _spread(videos: Mapping[str, RemoteVideo], *, count: int) -> list[tuple[str, int]]:
    """Frames of as many videos as there can be, at different places in them."""
    keys = sorted(videos)
    step = max(1, len(keys) // count)
    chosen = keys[::step][:count]
    return [
        (chosen[number % len(chosen)], _place(videos[chosen[number % len(chosen)]], number, count))
        for number in range(count)
    ]


def _place(video: RemoteVideo, number: int, count: int) -> int:
    return min(video.frames_count - 1, int(video.frames_count * (number + 0.5) / count))


def _title(key: str, frame: int, found: Sequence[Detection]) -> str:
    if not found:
        return f"{key}, frame {frame}: no mouse found"
    return f"{key}, frame {frame}: score {found[0].score:.2f}" + (
        f", {len(found)} boxes" if len(found) > 1 else ""
    )
