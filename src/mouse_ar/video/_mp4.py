"""Encodes MP4 that any browser plays, through PyAV, whose wheels bring libx264."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mouse_ar.video._container import VideoError, reason

__all__ = ["VideoWriter"]

_THREADS = 2  # fixed, since x264's output depends on the number of threads
_TICKS_PER_SECOND = 90_000  # the MPEG clock: whole ticks at 15, 24, 25, 30, 29.97, 50, 60, 120 fps
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
        crf: x264 quality, 1 (best) to 51; 16 is hard to tell from the source. 0 would be a
            lossless profile that browsers do not play.
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
        if width < 1 or height < 1 or fps <= 0 or not 1 <= crf <= 51:
            raise ValueError(
                f"{path}: got {width}x{height} at {fps} fps, crf {crf}; expected a positive "
                "size, fps > 0 and crf within 1..51 (browsers do not play lossless H.264)."
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
            str(self._partial.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
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
            VideoError: the encoder refuses the frame, or the disk is full.
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
        with self._named_errors():
            for packet in self._stream.encode(frame):
                # The container takes durations from the times; this one is for the last frame.
                packet.duration = max(1, round(_TICKS_PER_SECOND / self._fps))
                self._container.mux(packet)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise VideoError(
                self.path,
                f"cannot be written as {self._width}x{self._height} H.264 ({reason(error)}). "
                "Check the free space on the disk, or limit the size.",
            ) from error

    def close(self) -> None:
        """Complete the file and put it in place.

        Raises:
            ValueError: nothing was written.
            VideoError: the file cannot be completed.
        """
        try:
            if not self._num_frames:
                raise ValueError(f"{self.path}: no frame was written, expected at least one.")
            self._mux(None)
            with self._named_errors():
                self._container.close()
            self._partial.replace(self.path)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Throw away what was written; a file that was there before stays."""
        # A container that failed may fail again at closing, which would hide the first error.
        with suppress(av.FFmpegError):
            self._container.close()
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
