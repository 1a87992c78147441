"""Decoded clips in memory, shared by all threads that load windows.

A clip is decoded once, in sequence, and kept as the part that its windows show, scaled down by a
whole factor where the camera resolves more than the model sees: of a 1080p clip a tenth or less
is kept. Pixels are the same whether a clip fits into the memory budget or is decoded again for
each window, so a run does not depend on what happened to be in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.cropping import CropBox
from mouse_ar.core.types import ClipSpec, Window
from mouse_ar.core.windows import window_at
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.data.stream import window_crop
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_pictures

__all__ = ["ClipView", "DecodedClips", "clip_view"]

UInt8Array = NDArray[np.uint8]

# Windows of a clip that are looked at to find what all of them show.
_LOOKS = 64


@dataclass(frozen=True)
class ClipView:
    """The part of a clip's pictures that is kept, in pixels of the video.

    Args:
        left: first column.
        top: first row.
        width: columns, a multiple of ``factor``.
        height: rows, a multiple of ``factor``.
        factor: by which it is scaled down.
    """

    left: int
    top: int
    width: int
    height: int
    factor: int

    @property
    def frame_bytes(self) -> int:
        """Memory of one kept frame."""
        return self.width // self.factor * (self.height // self.factor) * 3

    def cut(self, frame_HWC: UInt8Array) -> UInt8Array:
        """What is kept of a picture: uint8 (height / factor, width / factor, 3)."""
        part = frame_HWC[self.top : self.top + self.height, self.left : self.left + self.width]
        if self.factor == 1:
            return np.ascontiguousarray(part)
        size = (self.width // self.factor, self.height // self.factor)
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def shows(self, crop: CropBox, *, width: int, height: int) -> bool:
        """Whether everything that a square shows of the image is kept.

        A few pixels, less than one of the model's, may be missing at the border.
        """
        spare = self.factor - 1
        return (
            max(crop.left, 0) >= self.left - spare
            and max(crop.top, 0) >= self.top - spare
            and min(crop.right, width) <= self.left + self.width + spare
            and min(crop.bottom, height) <= self.top + self.height + spare
        )

    def scaled(self, crop: CropBox) -> CropBox:
        """A square of the video in pixels of what is kept."""
        return CropBox(
            left=round((crop.left - self.left) / self.factor),
            top=round((crop.top - self.top) / self.factor),
            side=max(1, round(crop.side / self.factor)),
        )


def clip_view(record: VideoRecord, *, spec: ClipSpec, spare: float) -> ClipView:
    """What the windows of a clip show together.

    Scaled down no further than the smallest of them allows at the model's input size. Averaging
    twice, and to whole pixels of what is kept, moves the picture by up to half a pixel of the
    input: on rat clips at 1080p grey values differ by 0.1 to 1.3 in the mean from those that
    inference computes, a shift of half a pixel by 0.3 to 0.9.

    Args:
        record: the clip.
        spec: of its windows.
        spare: largest shift or scale of a square in training, share of its side.
    """
    last = max(0, record.num_frames - spec.window_frames)
    crops = [
        window_crop(
            window_at(int(start), num_frames=record.num_frames, spec=spec),
            track=record.track,
            spec=spec,
            width=record.width,
            height=record.height,
        )
        for start in np.unique(np.linspace(0, last, min(last + 1, _LOOKS)).round())
    ]
    factor = max(1, int(min(c.side for c in crops) * (1 - spare) / spec.input_size))
    # A square that grows by `spare` and moves by it reaches 1.5 times as far.
    left = min(c.left - round(1.5 * spare * c.side) for c in crops)
    top = min(c.top - round(1.5 * spare * c.side) for c in crops)
    right = max(c.right + round(1.5 * spare * c.side) for c in crops)
    bottom = max(c.bottom + round(1.5 * spare * c.side) for c in crops)
    left, width = _whole_blocks(left, right, size=record.width, factor=factor)
    top, height = _whole_blocks(top, bottom, size=record.height, factor=factor)
    return ClipView(left=left, top=top, width=width, height=height, factor=factor)


def _whole_blocks(start: int, stop: int, *, size: int, factor: int) -> tuple[int, int]:
    """First pixel and length, inside the image and a multiple of the factor long."""
    start, stop = max(0, start), min(size, stop)
    length = min(-(-(stop - start) // factor), size // factor) * factor
    return min(start, size - length), length


@dataclass
class _Entry:
    """One clip; its lock is held while the clip is decoded, so that it is decoded once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    meta: VideoMeta | None = None
    view: ClipView | None = None
    frames: list[UInt8Array] | None = None
    fits: bool = True


class DecodedClips:
    """Windows of clips, from memory where the clip fits; safe to use from several threads.

    Every clip is as likely to be drawn as any other, so dropping one for the next gains nothing:
    clips stay, and those that no longer fit are decoded for each window.

    Args:
        budget_bytes: memory for decoded clips.
        spare: largest shift or scale of a window's square, share of its side.
        threads: decoder threads per clip; 1 where several clips are decoded at once.
    """

    def __init__(self, budget_bytes: int, *, spare: float = 0.0, threads: int = 1) -> None:
        self._budget = budget_bytes
        self._spare = spare
        self._threads = threads
        self._used = 0
        self._lock = threading.Lock()
        self._entries: dict[Path, _Entry] = {}

    @property
    def used_bytes(self) -> int:
        """Memory that decoded clips take now."""
        return self._used

    def window(
        self, record: VideoRecord, *, window: Window, crop: CropBox, spec: ClipSpec
    ) -> UInt8Array:
        """The pixels of one window.

        Args:
            record: the clip.
            window: which of its frames.
            crop: the square to cut, in pixels of the video.
            spec: the clip's.

        Returns:
            uint8 (num_frames, input_size, input_size, 3).

        Raises:
            VideoError: the file cannot be read.
            ValueError: the file has fewer frames than its annotation says.
        """
        with self._lock:
            entry = self._entries.setdefault(record.path, _Entry())
        with entry.lock:
            view = self._prepare(entry, record, spec)
        shown = view.shows(crop, width=record.width, height=record.height)
        wanted = sorted(set(window.indices))
        kept = entry.frames if shown else None
        frames = (
            zip(wanted, (kept[i] for i in wanted), strict=True)
            if kept is not None
            else self._decode(entry, record, wanted, view if shown else None)
        )
        square = view.scaled(crop) if shown else crop
        scaled = {
            i: crop_and_resize(frame, crop=square, size=spec.input_size) for i, frame in frames
        }
        return np.stack([scaled[i] for i in window.indices])

    def _prepare(self, entry: _Entry, record: VideoRecord, spec: ClipSpec) -> ClipView:
        """Probe a clip when it is first used, and decode all of it where it fits."""
        if entry.meta is None:
            entry.meta = probe(record.path)
            if entry.meta.num_frames < record.num_frames:
                raise ValueError(
                    f"{record.path} has {entry.meta.num_frames} frames, but its annotation "
                    f"speaks of {record.num_frames}: the file was cut off or replaced. Run "
                    "preprocess again, or restore the file."
                )
        if entry.view is None:
            entry.view = clip_view(record, spec=spec, spare=self._spare)
        if entry.frames is None and entry.fits:
            needed = entry.view.frame_bytes * record.num_frames
            with self._lock:
                entry.fits = self._used + needed <= self._budget
                self._used += needed if entry.fits else 0
            if entry.fits:
                try:
                    everything = range(record.num_frames)
                    decoded = self._decode(entry, record, everything, entry.view)
                    entry.frames = [frame for _, frame in decoded]
                except BaseException:
                    with self._lock:
                        self._used -= needed
                    raise
        return entry.view

    def _decode(
        self, entry: _Entry, record: VideoRecord, wanted: range | list[int], view: ClipView | None
    ) -> Iterator[tuple[int, UInt8Array]]:
        """Frames in order, from one sequential pass over the range they lie in."""
        needed = set(wanted)
        pictures = iter_pictures(
            record.path,
            start=wanted[0],
            stop=wanted[-1] + 1,
            meta=entry.meta,
            threads=self._threads,
        )
        for index, picture in pictures:
            if index in needed:
                frame_HWC = picture()
                yield index, frame_HWC if view is None else view.cut(frame_HWC)
