"""Writes MP4 that any browser plays, and cuts frame-exact clips out of longer videos.

Everything goes through PyAV, whose wheels bring libx264: no system FFmpeg is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mouse_ar.core.types import Interval, merge_intervals
from mouse_ar.video._decoder import FrameDecoder
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["CutClip", "VideoWriter", "cut_clip", "cut_clips"]

Progress = Callable[[int, int], None]

_TICKS_PER_SECOND = 90_000  # the MPEG clock: whole ticks at 15, 24, 25, 30, 29.97, 50, 60, 120 fps
_THREADS = 2  # fixed, since x264's output depends on the number of threads
_KEYFRAME_SECONDS = 1.0  # a random window in a clip decodes at most this much in vain


class VideoWriter:
    """H.264 (yuv420p, MP4 with the index in front), written whole or not at all.

    The file appears under its name only when the ``with`` block ends well; until then it is a
    hidden ``.NAME.partial`` beside it, which an error removes and a later run overwrites. Equal
    input gives equal bytes. An odd width or height is padded by repeating the last column or row
    (right, bottom), so pixel coordinates stay valid. There are no B-frames, hence no edit list,
    over which players and readers disagree.

    Args:
        path: target, normally ending in ``.mp4``.
        width: of the frames that will be written, in pixels.
        height: of the frames that will be written, in pixels.
        fps: rate for frames written without a time of their own, and how long the last frame
            lasts.
        crf: x264 quality, 0 (lossless) to 51; 16 is hard to tell from the source.
        preset: x264 speed, ``ultrafast`` to ``veryslow``.

    Raises:
        ValueError: a value is out of range.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        width: int,
        height: int,
        fps: float = 25.0,
        crf: int = 18,
        preset: str = "veryfast",
    ) -> None:
        if width < 1 or height < 1 or fps <= 0 or not 0 <= crf <= 51:
            raise ValueError(
                f"{path}: got {width}x{height} at {fps} fps, crf {crf}; expected a positive "
                "size, fps > 0 and crf within 0..51."
            )
        self.path = Path(path)
        self._width, self._height, self._fps = width, height, fps
        self._options = {"crf": str(crf), "preset": preset}
        self._partial = self.path.with_name(f".{self.path.name}.partial")
        self._num_frames = 0
        self._last_ticks = -1
        self._first_seconds = 0.0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container: OutputContainer = av.open(
            str(self._partial), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._stream = self._add_stream()

    def _add_stream(self) -> VideoStream:
        rate = Fraction(self._fps).limit_denominator(1001)
        stream = self._container.add_stream("libx264", rate=rate, options=self._options)
        stream.width = self._width + self._width % 2
        stream.height = self._height + self._height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, _TICKS_PER_SECOND)
        context.gop_size = max(1, round(self._fps * _KEYFRAME_SECONDS))
        context.max_b_frames = 0
        context.thread_count = _THREADS
        return stream

    def write(self, frame_HWC: NDArray[np.uint8], time_seconds: float | None = None) -> None:
        """Append a frame.

        Args:
            frame_HWC: uint8 RGB of the size given at the start.
            time_seconds: presentation time; only differences matter, the first frame of a file is
                always shown at 0. None places the frame by ``fps``.

        Raises:
            ValueError: wrong size or type, or the time does not ascend.
        """
        expected = (self._height, self._width, 3)
        if frame_HWC.shape != expected or frame_HWC.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: got a frame {frame_HWC.shape} of {frame_HWC.dtype}, "
                f"expected {expected} of uint8."
            )
        if time_seconds is None:
            time_seconds = self._num_frames / self._fps
        if self._num_frames == 0:
            self._first_seconds = time_seconds
        ticks = round((time_seconds - self._first_seconds) * _TICKS_PER_SECOND)
        if ticks <= self._last_ticks:
            raise ValueError(
                f"{self.path}: frame {self._num_frames} has time {time_seconds} s, which is not "
                "after the frame before it."
            )
        padding = ((0, self._height % 2), (0, self._width % 2), (0, 0))
        frame = VideoFrame.from_ndarray(np.pad(frame_HWC, padding, mode="edge"), format="rgb24")
        frame.pts, frame.time_base = ticks, Fraction(1, _TICKS_PER_SECOND)
        self._mux(frame)
        self._last_ticks = ticks
        self._num_frames += 1

    def _mux(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            # The container takes durations from the times; this one is for the last frame.
            packet.duration = max(1, round(_TICKS_PER_SECOND / self._fps))
            self._container.mux(packet)

    def close(self) -> None:
        """Complete the file and put it in place.

        Raises:
            ValueError: nothing was written.
        """
        try:
            if not self._num_frames:
                raise ValueError(f"{self.path}: no frame was written, expected at least one.")
            self._mux(None)
            self._container.close()
            self._partial.replace(self.path)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Throw away what was written; a file that was there before stays."""
        try:
            self._container.close()
        finally:
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


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


def cut_clip(
    source: Path | str,
    target: Path | str,
    interval: Interval,
    *,
    short_side: int | None = None,
    crf: int = 16,
    meta: VideoMeta | None = None,
) -> CutClip:
    """Cut one clip; see :func:`cut_clips`."""
    return cut_clips(source, [(target, interval)], short_side=short_side, crf=crf, meta=meta)[0]


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
        crf: x264 quality, 0 (lossless) to 51.
        meta: result of :func:`probe`, to save probing again.
        progress: called with (frames decoded, frames to decode).

    Returns:
        One entry per cut, in the order given.

    Raises:
        VideoError: the source cannot be read.
        ValueError: an interval reaches outside the source, or two cuts share a target.
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
            writer.abort()
        raise
    finally:
        decoder.close()


def _check_plan(meta: VideoMeta, plan: Sequence[tuple[Path, Interval]]) -> None:
    targets = [target for target, _ in plan]
    repeated = {target for target in targets if targets.count(target) > 1}
    if repeated or meta.path in targets:
        raise ValueError(
            f"{meta.path}: the targets must differ from each other and from the source, "
            f"got {sorted(str(t) for t in repeated or {meta.path})} more than once."
        )
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
