"""One video on its way through the model: what is to be scored, and what has been."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.types import ActionScores, ClipSpec, Track, Window
from mouse_ar.core.windows import plan_windows
from mouse_ar.data.cutting import WindowCutter, WindowGroup
from mouse_ar.data.stream import iter_groups
from mouse_ar.detection.online import LookLog, Step
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.partial import PartialScores, PartialStore
from mouse_ar.video.ahead import Ahead, check_wanted
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.reader import Picture, iter_pictures

__all__ = [
    "Finder",
    "Scored",
    "ScoringJob",
    "VideoScoring",
    "default_stride",
    "score_without_mouse",
]

_DECODED_AHEAD = 16
_POLL_SECONDS = 0.05
# Frames that may wait until it is known where the mouse is: 128 of 1920 x 1080, as decoded.
_HELD_PIXELS = 128 * 1920 * 1080


def default_stride(spec: ClipSpec) -> int:
    """The largest odd step up to a quarter of the window.

    Every frame lies in the central half of two windows; an odd step lets an event meet the
    model's tubelets (an even number of frames) in every phase.
    """
    return max(1, (spec.window_frames // 4 - 1) | 1)


class Finder(Protocol):
    """Finds the mouse in the frames of one video while they are decoded for the model."""

    @property
    def sha256(self) -> str:
        """Of the video's bytes."""
        ...

    def steps(
        self, pictures: Iterable[tuple[int, Picture]], *, log: LookLog, held_pixels: int
    ) -> Iterator[Step]:
        """See :func:`~mouse_ar.detection.online.track_steps`."""
        ...

    def prepare(self) -> None:
        """Called first, in the thread of :meth:`steps`."""
        ...

    def keep(self, track: Track) -> None:
        """Keep the video's track for later runs, also one that was found elsewhere."""
        ...


@dataclass(frozen=True, eq=False)
class ScoringJob:
    """A video to score.

    Args:
        key: names it.
        meta: its probe.
        spec: ClipSpec at its frame rate.
        actions: its classes are those of the model, in its order.
        track: boxes of the mouse where they are known.
        finder: finds them otherwise.
        without_mouse: a track without any box means that there is no mouse, and not that nobody
            knows where it is; then the whole picture is scored.
        stride_frames: step between windows; a quarter of the window by default.
        partial: keeps what is done of a long video.
    """

    key: str
    meta: VideoMeta
    spec: ClipSpec
    actions: ActionSet
    track: Track | None = None
    finder: Finder | None = None
    without_mouse: bool = False
    stride_frames: int | None = None
    partial: PartialStore | None = None

    def __post_init__(self) -> None:
        if (self.track is None) == (self.finder is None):
            raise ValueError(f"{self.key}: give either the track or what finds the mouse.")
        if self.track is not None and self.track.num_frames != self.meta.num_frames:
            raise ValueError(
                f"{self.meta.path}: the track has {self.track.num_frames} frames, the video "
                f"{self.meta.num_frames}. Detect again: the video has changed."
            )


@dataclass(frozen=True, eq=False)
class Scored:
    """What the model says of a video.

    Args:
        track: boxes of the mouse.
        scores: per-frame probabilities.
    """

    track: Track
    scores: ActionScores


class VideoScoring:
    """The stages of one job: decoding, detection and cropping, each in a thread of its own.

    Where the mouse is known to be absent the frame is background: what a model says of an empty
    picture means nothing.

    Args:
        job: what to score.
        batch_size: windows that go through the model together. Groups are fixed by the plan, so
            that a run that is continued computes the same numbers.
        detecting: held while the mouse is looked for: a detector serves one video at a time.
        meter: takes the times of the stages.
    """

    def __init__(
        self, job: ScoringJob, *, batch_size: int, detecting: threading.Lock, meter: Meter
    ) -> None:
        self.job, self.looked = job, 0
        self._detecting, self._meter = detecting, meter
        self._track = job.track
        stride = job.stride_frames or default_stride(job.spec)
        self._windows = plan_windows(job.meta.num_frames, spec=job.spec, stride_frames=stride)
        self._stride = stride
        shape = (len(self._windows), len(job.actions.classes))
        self._scores_NK = np.full(shape, np.nan, dtype=np.float32)
        self._log = LookLog()
        kept = None if job.partial is None else job.partial.load(windows=len(self._windows))
        if kept is not None:
            self._scores_NK, self._log = kept.scores_NK, kept.log
        self._saved_at = time.monotonic()
        self._todo = {
            start // batch_size: self._windows[start : start + batch_size]
            for start in range(0, len(self._windows), batch_size)
            if np.isnan(self._scores_NK[start : start + batch_size]).any()
        }

    @property
    def windows_done(self) -> int:
        """Windows that have their scores."""
        return int(np.isfinite(self._scores_NK[:, 0]).sum())

    @property
    def frames_done(self) -> int:
        """So many frames' worth of windows are done."""
        return self.job.meta.num_frames * self.windows_done // len(self._windows)

    @property
    def is_done(self) -> bool:
        """Whether all windows have their scores, or need none."""
        return self.windows_done == len(self._windows) or self._is_without_mouse

    @property
    def _is_without_mouse(self) -> bool:
        return self.job.without_mouse and not (self._track is None or self._track.present_T.any())

    def groups(self) -> Generator[WindowGroup, None, None]:
        """Cut what is not done yet; runs in the thread of the cropping stage."""
        if not self._todo and self._track is None:
            self._track = self._last_track()
        if not self._todo or self._is_without_mouse:
            return
        if self.job.track is not None:
            yield from self._known_groups(self.job.track, self._todo)
            return
        job = self.job
        cutter = WindowCutter(
            self._todo,
            meta=job.meta,
            spec=job.spec,
            max_held=_HELD_PIXELS // (job.meta.width * job.meta.height),
            skip_empty=True,
        )
        with Ahead(
            self._steps(), size=1, name="detect", on_busy=self._meter.busy("detect")
        ) as steps:
            for step in steps:
                self._track = step.track
                yield from cutter.advance(
                    step.pictures, boxes_T4=step.boxes_T4, settled=step.settled
                )
        assert self._track is not None
        if not self._is_without_mouse:
            postponed = {number: self._todo[number] for number in cutter.postponed}
            yield from self._known_groups(self._track, postponed)

    def _last_track(self) -> Track:
        """Of a run that was killed between its last window and its results."""
        for step in self._steps():
            if step.track is not None:
                return step.track
        raise AssertionError("the last step has the track")

    def _known_groups(
        self, track: Track, groups: Mapping[int, Sequence[Window]]
    ) -> Iterator[WindowGroup]:
        return iter_groups(
            self.job.meta.path,
            groups=groups,
            track=track,
            spec=self.job.spec,
            meta=self.job.meta,
            skip_empty=bool(track.present_T.any()),
            pictures=self._decoded,
        )

    def _steps(self) -> Iterator[Step]:
        job, log = self.job, self._log
        assert job.finder is not None
        start = log.last_frame + 1
        for windows in self._todo.values():
            start = min(start, *(min(window.indices) for window in windows))
        while not self._detecting.acquire(timeout=_POLL_SECONDS):
            check_wanted()
        try:
            job.finder.prepare()
            meta = job.meta
            decoded = self._decoded(meta.path, start=start, stop=meta.num_frames, meta=meta)
            with closing(decoded) as frames:
                # A third each: in the detector's hands, on the way, and waiting for their boxes.
                for step in job.finder.steps(frames, log=log, held_pixels=_HELD_PIXELS // 3):
                    if step.pictures:
                        self.looked = step.pictures[-1][0] + 1
                    yield step
        finally:
            self._detecting.release()

    def _decoded(
        self, path: Path, *, start: int, stop: int, meta: VideoMeta
    ) -> Generator[tuple[int, Picture], None, None]:
        with Ahead(
            iter_pictures(path, start=start, stop=stop, meta=meta),
            size=_DECODED_AHEAD,
            name="decode",
            on_busy=self._meter.busy("decode"),
        ) as pictures:
            yield from pictures

    def add(self, windows: Sequence[Window], scores_NK: NDArray[np.float32]) -> None:
        """Take the probabilities of some windows."""
        self._scores_NK[self._rows(windows)] = scores_NK

    def add_empty(self, windows: Sequence[Window]) -> None:
        """Take windows in which the mouse is not."""
        names = self.job.actions.classes
        background_K = [name == self.job.actions.background for name in names]
        self._scores_NK[self._rows(windows)] = background_K

    def _rows(self, windows: Sequence[Window]) -> list[int]:
        first = self._windows[0].interval.start
        return [(window.interval.start - first) // self._stride for window in windows]

    def save(self, *, every_seconds: float) -> None:
        """Keep what is done, if that was not done within the time."""
        store = self.job.partial
        if store is None or time.monotonic() - self._saved_at < every_seconds:
            return
        store.save(PartialScores(self._scores_NK, self._log))
        self._saved_at = time.monotonic()

    def result(self) -> Scored:
        """The scores of all frames, once :attr:`is_done`."""
        job, track = self.job, self._track
        assert track is not None
        if self._is_without_mouse:
            return Scored(track, score_without_mouse(job.meta, actions=job.actions))
        scores = ScoreAccumulator(
            num_frames=job.meta.num_frames, classes=job.actions.classes, fps=job.meta.fps
        )
        scores.add(self._windows, self._scores_NK)
        if not track.present_T.any():
            return Scored(track, scores.result())
        return Scored(track, _as_background(scores.result(), ~track.present_T, actions=job.actions))


def score_without_mouse(meta: VideoMeta, *, actions: ActionSet) -> ActionScores:
    """Scores of a video in which no mouse was found: background in every frame."""
    nothing_TK = np.zeros((meta.num_frames, len(actions.classes)), dtype=np.float32)
    scores = ActionScores(scores_TK=nothing_TK, classes=actions.classes, fps=meta.fps)
    return _as_background(scores, np.ones(meta.num_frames, dtype=bool), actions=actions)


def _as_background(
    scores: ActionScores, absent_T: NDArray[np.bool_], *, actions: ActionSet
) -> ActionScores:
    background_K = np.array([name == actions.background for name in scores.classes])
    return replace(scores, scores_TK=np.where(absent_T[:, None], background_K, scores.scores_TK))
