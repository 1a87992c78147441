"""A video's track while the video runs: detection in one pass, and what of it is final already.

The track of a whole video depends on what comes later, but seldom on what comes much later: the
cheapest path of the association forgets, and smoothing reaches over a fraction of a second. Frames
up to :attr:`GrowingTrack.settled` have the boxes that they have in the end, to the last bit.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box, Track
from mouse_ar.detection.association import Association
from mouse_ar.detection.protocol import Detection, Detector
from mouse_ar.detection.sparse import STILL_IOU, detect_sparsely
from mouse_ar.detection.tracking import (
    DETECT_EVERY,
    MAX_DETECT_EVERY,
    MAX_GAP_SECONDS,
    REST_SECONDS,
    fill_track,
    median_looks,
    smoothing_frames,
)
from mouse_ar.video.ahead import Ahead
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import Picture, iter_pictures

__all__ = ["GrowingTrack", "LookLog", "Step", "track_steps", "track_video"]

# Frames kept to look at them again: 64 of 1920 x 1080.
_HELD_PIXELS = 64 * 1920 * 1080
_DECODED_AHEAD = 16


class GrowingTrack:
    """A track to which detections are added in the order of frames.

    Args:
        num_frames: frames of the video.
        fps: average frames per second.
        detect_every: step between the frames that are looked at.
        max_gap_seconds: see :func:`~.tracking.fill_track`.
    """

    def __init__(
        self,
        num_frames: int,
        *,
        fps: float,
        detect_every: int,
        max_gap_seconds: float = MAX_GAP_SECONDS,
    ) -> None:
        self.boxes_T4: NDArray[np.float32] = np.full((num_frames, 4), np.nan, dtype=np.float32)
        self.settled = 0
        self._num_frames, self._fps = num_frames, fps
        self._filling: dict[str, Any] = {
            "fps": fps,
            "detect_every": detect_every,
            "max_gap_seconds": max_gap_seconds,
        }
        self._median = median_looks(fps=fps, detect_every=detect_every) // 2
        self._smoothing = smoothing_frames(fps=fps)
        self._association = Association(fps=fps)
        self._frames: list[int] = []
        self._boxes: list[Box] = []

    def look(self, frame: int, detections: Sequence[Detection]) -> None:
        """Take the detections of the next frame that was looked at."""
        self._association.look(frame, detections)

    def settle(self) -> int:
        """Fill the frames whose boxes are final by now; how many they are, from the first on."""
        self._take(self._association.settled())
        frames = self._frames
        last = len(frames) - 1 - self._median
        if last < 0 or frames[-1] <= frames[0] + REST_SECONDS * self._fps:
            return self.settled  # whether the mouse rested before is not known yet either
        stop = frames[last] - self._smoothing + 1
        if stop > self.settled:
            # As much of what came before as fill_track looks at for the next frame.
            reached = bisect_right(frames, self.settled - self._smoothing) - 1
            first = max(0, reached - self._median - 1)
            offset = frames[first] if first else 0
            part = fill_track(
                self._seen(first, offset=offset),
                num_frames=frames[-1] + 1 - offset,
                **self._filling,
            )
            rows = slice(self.settled - offset, stop - offset)
            self.boxes_T4[self.settled : stop] = part.boxes_T4[rows]
            self.settled = stop
        return self.settled

    def finish(self) -> Track:
        """The track, once there are no more frames; all of it is settled then."""
        self._take(self._association.finish())
        track = fill_track(self._seen(0), num_frames=self._num_frames, **self._filling)
        self.boxes_T4, self.settled = track.boxes_T4, self._num_frames
        return track

    def _take(self, path: Mapping[int, Detection]) -> None:
        self._frames += path.keys()
        self._boxes += [detection.box for detection in path.values()]

    def _seen(self, first: int, *, offset: int = 0) -> dict[int, Box]:
        """Boxes from the ``first`` one on, by frame after ``offset``."""
        frames = (frame - offset for frame in self._frames[first:])
        return dict(zip(frames, self._boxes[first:], strict=True))


class LookLog:
    """All detections of a video so far, from which a run that was killed can go on.

    One thread adds, another may take :meth:`arrays` at any time.
    """

    def __init__(self) -> None:
        self._frames, self._counts, self._rows = array("q"), array("q"), array("d")
        self._whole = 0

    def add(self, frame: int, detections: Sequence[Detection]) -> None:
        """Take the detections of the next frame that was looked at."""
        for d in detections:
            self._rows.extend((d.box.left, d.box.top, d.box.right, d.box.bottom, d.score))
        self._counts.append(len(detections))
        self._frames.append(frame)

    def mark(self) -> None:
        """Detection can go on after the last frame that was added."""
        self._whole = len(self._frames)

    @property
    def last_frame(self) -> int:
        """The last one that was added; -1 where there is none."""
        return self._frames[-1] if self._frames else -1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was added before the last mark, for :meth:`restored`."""
        whole = self._whole
        counts = np.array(self._counts[:whole], dtype=np.int64)
        rows = np.array(self._rows[: 5 * int(counts.sum())], dtype=np.float64)
        frames = np.array(self._frames[:whole], dtype=np.int64)
        return {"look_frames": frames, "look_counts": counts, "look_rows": rows}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> LookLog:
        """Inverse of :meth:`arrays`."""
        log = cls()
        log._frames.extend(arrays["look_frames"].tolist())
        log._counts.extend(arrays["look_counts"].tolist())
        log._rows.extend(arrays["look_rows"].tolist())
        log.mark()
        return log

    def __iter__(self) -> Iterator[tuple[int, list[Detection]]]:
        start = 0
        for frame, count in zip(self._frames, self._counts, strict=True):
            rows = [self._rows[i : i + 5] for i in range(start, start + 5 * count, 5)]
            start += 5 * count
            yield frame, [Detection(Box(*row[:4]), row[4]) for row in rows]


@dataclass(frozen=True, eq=False)
class Step:
    """Frames that went by while the mouse was looked for.

    Args:
        pictures: the frames since the last step, in order.
        boxes_T4: boxes of the video, true for the first ``settled`` frames.
        settled: see :class:`GrowingTrack`.
        track: the whole track, with the last frames.
    """

    pictures: list[tuple[int, Picture]]
    boxes_T4: NDArray[np.float32]
    settled: int
    track: Track | None = None


def _check_settings(*, detect_every: int, still_iou: float, max_gap_seconds: float) -> None:
    """Refuse settings that mean nothing.

    Raises:
        ValueError: on ``detect_every`` outside 1..64, an overlap outside 0..1 or a negative gap.
    """
    if not 1 <= detect_every <= MAX_DETECT_EVERY or not 0 <= still_iou <= 1 or max_gap_seconds < 0:
        raise ValueError(
            f"track_video needs detect_every within 1..{MAX_DETECT_EVERY}, still_iou within 0..1 "
            f"and max_gap_seconds >= 0, got {detect_every}, {still_iou}, {max_gap_seconds}."
        )


def track_steps(
    pictures: Iterable[tuple[int, Picture]],
    *,
    meta: VideoMeta,
    detector: Detector,
    detect_every: int,
    still_iou: float = STILL_IOU,
    max_gap_seconds: float = MAX_GAP_SECONDS,
    held_pixels: int = _HELD_PIXELS,
    log: LookLog | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Step]:
    """Look for the mouse in frames as they come, and hand them on with what is known then.

    Args:
        pictures: the frames, in order, up to the last of the video; from the first one on, or
            from one that is not after the last in ``log``.
        meta: probe of the video.
        detector: prepared for it.
        detect_every: see :func:`track_video`, as for the next two.
        still_iou: as there.
        max_gap_seconds: as there.
        held_pixels: of the frames that are kept to look at them again.
        log: looks that were made before, which are not made again; new ones are added.
        progress: called with (frames done, frames in all).

    Yields:
        Every frame once; the last step has the track.
    """
    growing = GrowingTrack(
        meta.num_frames, fps=meta.fps, detect_every=detect_every, max_gap_seconds=max_gap_seconds
    )
    log = LookLog() if log is None else log
    after: tuple[int, list[Detection]] | None = None
    for after in log:
        growing.look(*after)
    growing.settle()
    passing: list[tuple[int, Picture]] = []

    def unseen() -> Iterator[tuple[int, Picture]]:
        for item in pictures:
            passing.append(item)
            if after is None or item[0] > after[0]:
                yield item

    for frame, detections in detect_sparsely(
        unseen(),
        num_frames=meta.num_frames,
        detector=detector,
        detect_every=detect_every,
        still_iou=still_iou,
        held_frames=held_pixels // (meta.width * meta.height),
        after=after,
    ):
        log.add(frame, detections)
        growing.look(frame, detections)
        if frame != passing[-1][0]:
            continue
        log.mark()
        growing.settle()
        if progress is not None:
            progress(frame + 1, meta.num_frames)
        if frame < meta.num_frames - 1:
            yield Step(passing.copy(), growing.boxes_T4, growing.settled)
            passing.clear()
    track = growing.finish()
    yield Step(passing, track.boxes_T4, track.num_frames, track)


def track_video(
    path: Path,
    *,
    detector: Detector,
    detect_every: int = DETECT_EVERY,
    still_iou: float = STILL_IOU,
    max_gap_seconds: float = MAX_GAP_SECONDS,
    meta: VideoMeta | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Track:
    """The mouse's box in every frame of a video.

    The video is decoded once, beside what ``detector.prepare`` reads, and few frames are kept.
    See :func:`~.sparse.detect_sparsely` for the frames that are looked at, and
    :func:`~.tracking.fill_track` for those without detection.

    Args:
        path: the video.
        detector: prepared here for this video.
        detect_every: look at every n-th frame, more often where the mouse moves fast, and
            interpolate between.
        still_iou: overlap of boxes below which the mouse moves fast.
        max_gap_seconds: longest time over which a box is interpolated or held while unseen.
        meta: result of ``probe``, to save probing again.
        progress: called with (frames done, frames in all).

    Raises:
        ValueError: on ``detect_every`` outside 1..64, an overlap outside 0..1 or a negative gap.
        VideoError: when the video cannot be read.
    """
    settings: dict[str, Any] = {
        "detect_every": detect_every,
        "still_iou": still_iou,
        "max_gap_seconds": max_gap_seconds,
    }
    _check_settings(**settings)
    meta = meta or probe(path)
    detector.prepare(path, meta=meta)
    with Ahead(iter_pictures(path, meta=meta), size=_DECODED_AHEAD, name="decode") as pictures:
        steps = track_steps(pictures, meta=meta, detector=detector, progress=progress, **settings)
        for step in steps:
            track = step.track
    assert track is not None
    return track
