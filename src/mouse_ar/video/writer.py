"""Writes MP4 that any browser plays, and cuts frame-exact clips out of longer videos.

Everything goes through PyAV, whose wheels bring libx264: no system FFmpeg is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Interval, merge_intervals
from mouse_ar.video._decoder import FrameDecoder
from mouse_ar.video._mp4 import VideoWriter
from mouse_ar.video._targets import require_distinct
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["CutClip", "VideoWriter", "cut_clips"]

Progress = Callable[[int, int], None]

_THREADS = 2


@dataclass(frozen=True)
class CutClip:
    """A clip that was cut, and how its pixels relate to the source.

    Args:
        path: the clip.
        interval: frames of the source; clip frame 0 is ``interval.start``.
        width: of the stored picture (even; an odd source gains a repeated column at the right).
        height: of the stored picture (even; an odd source gains a repeated row at the bottom).
        scale_x: clip x = source x * scale_x.
        scale_y: clip y = source y * scale_y.
    """

    path: Path
    interval: Interval
    width: int
    height: int
    scale_x: float
    scale_y: float


def cut_clips(
    source: Path | str,
    cuts: Sequence[tuple[Path | str, Interval]],
    *,
    short_side: int | None = None,
    crf: int = 16,
    meta: VideoMeta | None = None,
    progress: Progress | None = None,
) -> list[CutClip]:
    """Cut clips frame-exactly in one forward pass over the source; they may overlap.

    Each clip keeps the source's timing, also a variable one, to within half a tick of 1/90000 s;
    its first frame is at 0. Either a clip is complete or it is not there.

    Args:
        source: the video.
        cuts: target file and frames of the source, in any order.
        short_side: limit for the shorter side in pixels; smaller videos are never enlarged.
        crf: x264 quality, 1 (best) to 51.
        meta: result of :func:`probe`, to save probing again.
        progress: called with (frames decoded, frames to decode).

    Returns:
        One entry per cut, in the order given.

    Raises:
        VideoError: the source cannot be read, or a clip not be written.
        ValueError: an interval reaches outside the source, or a target is that of another cut or
            the source.
    """
    meta = meta or probe(source)
    plan = [(Path(target), interval) for target, interval in cuts]
    _check_plan(meta, plan)
    width, height = _limited_size(meta, short_side)
    _write_cuts(meta, plan, width=width, height=height, crf=crf, progress=progress)
    return [
        CutClip(
            path=target,
            interval=interval,
            width=width + width % 2,
            height=height + height % 2,
            scale_x=width / meta.width,
            scale_y=height / meta.height,
        )
        for target, interval in plan
    ]


def _write_cuts(
    meta: VideoMeta,
    plan: Sequence[tuple[Path, Interval]],
    *,
    width: int,
    height: int,
    crf: int,
    progress: Progress | None,
) -> None:
    waiting = sorted(plan, key=lambda cut: cut[1], reverse=True)
    running: list[tuple[VideoWriter, int]] = []
    spans = merge_intervals(interval for _, interval in plan)
    total = sum(span.length for span in spans)
    decoder = FrameDecoder(meta, threads=_THREADS)
    try:
        for done, index in enumerate((i for s in spans for i in range(s.start, s.stop)), start=1):
            while waiting and waiting[-1][1].start == index:
                target, interval = waiting.pop()
                writer = VideoWriter(target, width=width, height=height, fps=meta.fps, crf=crf)
                running.append((writer, interval.stop))
            frame_HWC = _resized(decoder.read(index), width, height)
            for writer, _ in running:
                writer.write(frame_HWC, float(meta.timestamps_seconds[index]))
            for writer, stop in running:
                if stop == index + 1:
                    writer.close()
            running = [(writer, stop) for writer, stop in running if stop > index + 1]
            if progress:
                progress(done, total)
    except BaseException:
        for writer, _ in running:
            with suppress(OSError):  # it would hide the first error, and what the others left
                writer.abort()
        raise
    finally:
        decoder.close()


def _check_plan(meta: VideoMeta, plan: Sequence[tuple[Path, Interval]]) -> None:
    require_distinct(meta.path, [target for target, _ in plan])
    for target, interval in plan:
        if interval.start < 0 or interval.stop > meta.num_frames:
            raise ValueError(
                f"{meta.path}: cannot cut frames {interval.inclusive} into {target.name}, "
                f"expected frames within 0..{meta.num_frames - 1}."
            )


def _limited_size(meta: VideoMeta, short_side: int | None) -> tuple[int, int]:
    """Width and height after limiting the short side; even when anything changes."""
    if short_side is not None and short_side < 2:
        raise ValueError(f"short_side must be at least 2 px or None, got {short_side}.")
    if short_side is None or short_side >= min(meta.width, meta.height):
        return meta.width, meta.height
    scale = short_side / min(meta.width, meta.height)
    return max(2, 2 * round(meta.width * scale / 2)), max(2, 2 * round(meta.height * scale / 2))


def _resized(frame_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if frame_HWC.shape[:2] == (height, width):
        return frame_HWC
    resized_HWC = cv2.resize(frame_HWC, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized_HWC, dtype=np.uint8)
