"""All windows of a long video in one sequential pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.cropping import CropBox, crop_square
from mouse_ar.core.types import ClipSpec, Interval, Track, Window
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.reader import iter_frames

__all__ = ["crop_window", "iter_windows", "window_crop"]

UInt8Array = NDArray[np.uint8]


def iter_windows(
    path: Path, *, windows: Sequence[Window], track: Track, spec: ClipSpec, meta: VideoMeta
) -> Iterator[tuple[Window, UInt8Array]]:
    """Decode a video once and yield each window with its cropped pixels, in order of start.

    Memory holds the frames of about one window, whatever the length of the video.

    Yields:
        The window and its frames, uint8 (num_frames, input_size, input_size, 3).
    """
    ordered = sorted(windows, key=lambda w: w.interval)
    # Frames below this index are needed neither by the window nor by any later one.
    lowest = np.minimum.accumulate([min(w.indices) for w in reversed(ordered)])[::-1]
    held: dict[int, UInt8Array] = {}
    frames = iter_frames(path, meta=meta)
    for window, low in zip(ordered, lowest, strict=True):
        for index in [i for i in held if i < low]:
            del held[index]
        while max(window.indices) not in held:
            index, frame_HWC = next(frames)
            if index >= low:
                held[index] = frame_HWC
        crop = window_crop(window, track=track, spec=spec, width=meta.width, height=meta.height)
        frames_held = [held[i] for i in window.indices]
        yield window, crop_window(frames_held, window=window, crop=crop, size=spec.input_size)


def window_crop(
    window: Window, *, track: Track, spec: ClipSpec, width: int, height: int
) -> CropBox:
    """The one square that all frames of a window are cut with."""
    return crop_square(
        track,
        frames=Interval(min(window.indices), max(window.indices) + 1),
        width=width,
        height=height,
        padding=spec.crop_padding,
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
