"""One PyAV decoder that fetches frames by index: it runs forward and seeks when that is shorter."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from mouse_ar.video._container import VideoError, decoded_frames, open_stream
from mouse_ar.video.probe import VideoMeta

__all__ = ["FrameDecoder"]

_LOG = logging.getLogger(__name__)
_FORWARD_FRAMES = 16  # up to here decoding on is cheaper than a seek, which empties the pipeline
_MAX_HELD_SECONDS = 1.0


class FrameDecoder:
    """Decodes frames of one file by index.

    A frame that the index lists but the decoder does not deliver (damage in the middle of the
    file) is replaced by the last good picture before it, with a logged warning, so that later
    frames keep their index and time. Where more than a second would have to be replaced,
    :class:`VideoError` is raised instead.

    Args:
        meta: the probed video.
        threads: decoder threads; 0 takes every core.
    """

    def __init__(self, meta: VideoMeta, *, threads: int) -> None:
        self._meta = meta
        # Frame threads lose good frames beside a broken one, and with it the count.
        self._threads = 1 if meta.is_damaged or not len(meta.frame_index.pts_T) else threads
        pts_T = meta.frame_index.pts_T
        self._order = np.argsort(pts_T, kind="stable")
        self._sorted_pts_T = pts_T[self._order]
        self._keyframes = meta.frame_index.keyframes
        # Pictures are converted in whichever thread needs them, and a reformatter serves one.
        self._of_thread = threading.local()
        self._warned = False
        self._from_start = True
        self._at = -1
        self._current: VideoFrame | None = None
        self._pending: tuple[int, VideoFrame | None] | None = None
        self._frames: Iterator[tuple[int, VideoFrame | None]] = iter(())
        self._container, self._stream = open_stream(meta.path, threads=self._threads)
        self._start_decoding(first=0)

    def close(self) -> None:
        """Release the file; closing twice is fine."""
        self._frames = iter(())
        self._current = self._pending = None
        self._container.close()

    def read(self, index: int) -> NDArray[np.uint8]:
        """One frame: uint8 (H, W, 3) RGB, rotation applied.

        Raises:
            VideoError: the frame cannot be decoded.
        """
        return self.picture(index)()

    def picture(self, index: int) -> Callable[[], NDArray[np.uint8]]:
        """One frame, decoded now and converted to RGB when it is called.

        Until then it takes 1.5 bytes a pixel (4:2:0), half of the RGB picture.

        Raises:
            VideoError: the frame cannot be decoded.
        """
        entry = int(np.searchsorted(self._keyframes, index, side="right")) - 1
        if not self._can_run_on(index, entry):
            self._seek(entry)
        while not self._run_to(index):
            entry -= 1
            self._seek(entry)
        assert self._current is not None
        if self._at != index:
            self._report_held(index)
        return partial(self._to_rgb, self._current, self._at)

    def _can_run_on(self, index: int, entry: int) -> bool:
        if self._at > index:
            return False
        entry_frame = self._keyframes[entry] if entry >= 0 else 0
        return bool(entry_frame <= self._at + 1 or index - self._at <= _FORWARD_FRAMES)

    def _run_to(self, index: int) -> bool:
        """Decode up to a frame; False when decoding has to start at an earlier keyframe."""
        while self._at < index:
            at, frame = self._pending or next(self._frames, (self._meta.num_frames, None))
            self._pending = (at, frame)
            if at > index and (self._current is not None or not self._from_start):
                return self._current is not None
            if frame is None:
                raise VideoError(self._meta.path, "no frame can be decoded any more; it changed.")
            self._at, self._current, self._pending = at, frame, None
        return True

    def _seek(self, entry: int) -> None:
        """Continue decoding at a keyframe; any ``entry`` below 1 means the start of the file."""
        pts_T = self._meta.frame_index.pts_T
        if entry >= 1 and len(pts_T):
            first = int(self._keyframes[entry])
            if self._from_start and self._at < 0:
                # x264 names its version only in the first packet, and for 4:4:4 the decoder needs
                # it: without this, every picture after a seek would be garbage.
                next(self._frames, None)
            try:
                self._container.seek(int(pts_T[first]), stream=self._stream)
            except (av.FFmpegError, OSError):
                _LOG.debug("%s: seeking to frame %d failed", self._meta.path, first)
            else:
                self._start_decoding(first=first)
                return
        self._container.close()
        self._container, self._stream = open_stream(self._meta.path, threads=self._threads)
        self._start_decoding(first=0)

    def _start_decoding(self, *, first: int) -> None:
        self._from_start = first == 0
        self._at = -1
        self._current = self._pending = None
        self._frames = self._numbered(first)

    def _numbered(self, first: int) -> Iterator[tuple[int, VideoFrame | None]]:
        """Decoded frames with their indices, in ascending order.

        After a seek, pictures before keyframe ``first`` lack what they refer to and are skipped;
        without the keyframe itself (a container without an index may land elsewhere) so would
        all that follow, and there are no frames at all.
        """
        last = first - 1
        frames = decoded_frames(self._meta.path, self._container, self._stream)
        for count, frame in enumerate(frames):
            index = self._index_of(frame) if len(self._sorted_pts_T) else count
            if first and last < first < index:
                return
            if index > last:
                last = index
                yield index, frame

    def _index_of(self, frame: VideoFrame) -> int:
        if frame.pts is None:
            return -1
        place = int(np.searchsorted(self._sorted_pts_T, frame.pts))
        if place == len(self._sorted_pts_T) or self._sorted_pts_T[place] != frame.pts:
            return -1
        return int(self._order[place])

    def _report_held(self, index: int) -> None:
        num_frames = abs(index - self._at)
        if num_frames > max(1.0, _MAX_HELD_SECONDS * self._meta.fps):
            raise VideoError(
                self._meta.path,
                f"frames {min(index, self._at + 1)} to {max(index, self._at - 1)} cannot be "
                "decoded, the file is damaged there. Copy it again from the original, or cut out "
                "the sound parts.",
            )
        if not self._warned:
            self._warned = True
            _LOG.warning(
                "%s: frame %d cannot be decoded, the picture of frame %d is shown instead "
                "(further ones of this file are not reported).",
                self._meta.path,
                index,
                self._at,
            )

    def _to_rgb(self, frame: VideoFrame, at: int) -> NDArray[np.uint8]:
        if not hasattr(self._of_thread, "reformatter"):
            self._of_thread.reformatter = VideoReformatter()
        rgb = self._of_thread.reformatter.reformat(frame, format="rgb24")
        image_HWC = rgb.to_ndarray().astype(np.uint8, copy=False)
        turned_HWC = np.rot90(image_HWC, self._meta.rotation // 90)
        if turned_HWC.shape[:2] != (self._meta.height, self._meta.width):
            height, width = turned_HWC.shape[:2]
            raise VideoError(
                self._meta.path,
                f"the picture size changes from {self._meta.width}x{self._meta.height} to "
                f"{width}x{height} at frame {at}. Export it again with one size.",
            )
        return np.ascontiguousarray(turned_HWC)
