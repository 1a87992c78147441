"""All windows of a long video in one sequential pass."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.cropping import CropBox, crop_square
from mouse_ar.core.types import ClipSpec, Interval, Track, Window
from mouse_ar.data.cutting import WindowCutter, WindowGroup
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.reader import Picture, iter_pictures

__all__ = [
    "PictureReader",
    "crop_window",
    "iter_groups",
    "iter_windows",
    "window_crop",
]

UInt8Array = NDArray[np.uint8]


class PictureReader(Protocol):
    """Reads a range of frames; :func:`~mouse_ar.video.reader.iter_pictures` is one."""

    def __call__(
        self, path: Path, *, start: int, stop: int, meta: VideoMeta
    ) -> Generator[tuple[int, Picture], None, None]:
        """Frames ``start`` to ``stop``, exclusive, in order."""
        ...


def iter_windows(
    path: Path, *, windows: Sequence[Window], track: Track, spec: ClipSpec, meta: VideoMeta
) -> Iterator[tuple[Window, UInt8Array]]:
    """Decode a video once and yield each window with its cropped pixels, in order of start.

    Memory holds the frames of about one window, whatever the length of the video.

    Yields:
        The window and its frames, uint8 (num_frames, input_size, input_size, 3).
    """
    ordered = sorted(windows, key=lambda w: w.interval)
    groups = {number: [window] for number, window in enumerate(ordered)}
    for group in iter_groups(path, groups=groups, track=track, spec=spec, meta=meta):
        yield group.windows[0], group.pixels[0]


def iter_groups(
    path: Path,
    *,
    groups: Mapping[int, Sequence[Window]],
    track: Track,
    spec: ClipSpec,
    meta: VideoMeta,
    skip_empty: bool = False,
    pictures: PictureReader = iter_pictures,
) -> Iterator[WindowGroup]:
    """Cut groups of windows of a video whose track is known; what lies between is passed over.

    Args:
        path: the video.
        groups: windows by number of their group, in the order of the plan.
        track: boxes of the whole video.
        spec: of the windows.
        meta: probe of the video.
        skip_empty: leave out windows without the mouse.
        pictures: reads a range of frames.
    """
    for start, stop, part in _stretches(groups):
        cutter = WindowCutter(part, meta=meta, spec=spec, max_held=1, skip_empty=skip_empty)
        with closing(pictures(path, start=start, stop=stop, meta=meta)) as frames:
            yield from cutter.advance(frames, boxes_T4=track.boxes_T4, settled=track.num_frames)


def _stretches(
    groups: Mapping[int, Sequence[Window]],
) -> Iterator[tuple[int, int, dict[int, Sequence[Window]]]]:
    """Groups whose frames overlap or touch, with the range of their frames."""
    part: dict[int, Sequence[Window]] = {}
    start = stop = 0
    for number, windows in groups.items():
        low = min(min(window.indices) for window in windows)
        if part and low > stop:
            yield start, stop, part
            part = {}
        start = min(start, low) if part else low
        high = max(max(window.indices) for window in windows) + 1
        stop = max(stop, high) if part else high
        part[number] = windows
    if part:
        yield start, stop, part


def window_crop(
    window: Window,
    *,
    track: Track,
    spec: ClipSpec,
    width: int,
    height: int,
    padding: float | None = None,
) -> CropBox:
    """The one square that all frames of a window are cut with; ``padding`` replaces the spec's."""
    return crop_square(
        track,
        frames=Interval(min(window.indices), max(window.indices) + 1),
        width=width,
        height=height,
        padding=spec.crop_padding if padding is None else padding,
    )


def crop_window(
    frames: Sequence[UInt8Array], *, window: Window, crop: CropBox, size: int
) -> UInt8Array:
    """Cut and scale the frames of one window.

    Args:
        frames: the frames at ``window.indices``, uint8 (H, W, 3) each.
        window: says which frames of the video these are.
        crop: the window's square.
        size: side of the result in pixels.

    Returns:
        uint8 (num_frames, size, size, 3).
    """
    # Mirrored windows repeat frames; each is scaled once.
    scaled: dict[int, UInt8Array] = {}
    for index, frame_HWC in zip(window.indices, frames, strict=True):
        if index not in scaled:
            scaled[index] = crop_and_resize(frame_HWC, crop=crop, size=size)
    return np.stack([scaled[index] for index in window.indices])
