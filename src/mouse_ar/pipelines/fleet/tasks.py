"""What is done on a cluster: videos are scored, or the mouse is found in them.

Results are sent back to the run, which keeps them as if it had made them itself.
"""

from __future__ import annotations

import atexit
import pickle
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mouse_ar.core.types import Track
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.engine import JobProgress
from mouse_ar.pipelines.fleet.cluster import Fleet
from mouse_ar.pipelines.fleet.needs import FleetError
from mouse_ar.pipelines.job import Scored, ScoringJob
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.precision import pick_precision
from mouse_ar.pipelines.predictor import Predictor, pick_device
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.pipelines.workers import Order, sendable
from mouse_ar.video.probe import probe

__all__ = ["FleetDetection", "FleetWorkers", "load_for_fleet"]

Loading = Callable[..., Predictor]
Finding = Callable[..., AbstractContextManager[Detector]]


def load_for_fleet(fleet: Fleet, loading: Loading, *, precision: str | None) -> Predictor:
    """The model as this process needs it: it says what results are made with, and scores nothing.

    Args:
        fleet: computes in the number format that is noted in the results.
        loading: loads the model; given ``device`` and ``precision``.
        precision: as the user chose it.
    """
    if fleet.device == "cuda":
        there = torch.device(fleet.device)
        precision = fleet.ask(partial(pick_precision, precision, model=nn.Identity(), device=there))
    return loading(device=torch.device("cpu"), precision=precision)


@dataclass(frozen=True)
class FleetWorkers:
    """Scores videos on a cluster, as :class:`~mouse_ar.pipelines.workers.Workers` on this computer.

    Args:
        fleet: the computers.
        predictor: loads the model, given ``device`` and ``precision``; pickled.
        made_with: the model as :func:`load_for_fleet` has loaded it; the cluster's must be equal.
        detector: opens what finds the mouse, given ``device``; pickled.
        fingerprint: of that detector; None where no mouse is to be found.
    """

    fleet: Fleet
    predictor: Loading
    made_with: Predictor
    detector: Finding
    fingerprint: str | None

    def pool(self, *, detect_every: int, batch_size: int, meter: Meter) -> FleetPool:
        """See :class:`~mouse_ar.pipelines.workers.Scorers`."""
        tools = _Tools(
            device=self.fleet.device,
            threads=max(1, int(self.fleet.needs.cpus)),
            detector=self.detector,
            fingerprint=self.fingerprint,
            predictor=partial(self.predictor, precision=self.made_with.precision),
            sha256=self.made_with.sha256,
        )
        work = partial(
            _Scoring, pickle.dumps(tools), detect_every=detect_every, batch_size=batch_size
        )
        return FleetPool(self.fleet, work, meter=meter)


class FleetPool:
    """Scores videos as :class:`~mouse_ar.pipelines.engine.Engine` does, on a cluster.

    Args:
        fleet: the computers.
        work: makes a task of an order.
        meter: counts times.
    """

    def __init__(self, fleet: Fleet, work: Callable[[Order], _Scoring], *, meter: Meter) -> None:
        self._fleet, self._work, self._meter = fleet, work, meter

    def run(
        self, jobs: Iterable[ScoringJob], *, at_once: int = 2, progress: JobProgress | None = None
    ) -> Generator[tuple[ScoringJob, Scored | Exception], None, None]:
        """See :meth:`~mouse_ar.pipelines.engine.Engine.run`; ``at_once`` 1 is one, else all.

        Raises:
            FleetError: see :meth:`~mouse_ar.pipelines.fleet.cluster.Fleet.run`.
        """
        tell = progress or (lambda job, what, done, total: None)
        answers = self._fleet.run(
            _score,
            jobs,
            work=lambda job: self._work(Order.of(job)),
            most=1 if at_once == 1 else None,
        )
        with closing(answers):
            for job, answer in answers:
                if isinstance(answer, OSError):
                    yield job, answer
                    continue
                outcome, busy = answer
                self._meter.take(busy, workers=max(1, self._fleet.at_once))
                if isinstance(outcome, Scored):
                    self._count(job)
                    if job.finder is not None:
                        job.finder.keep(outcome.track)
                    tell(job, "scored", job.meta.num_frames, job.meta.num_frames)
                yield job, outcome

    def _count(self, job: ScoringJob) -> None:
        self._meter.scored(job.key, share=1.0, video_seconds=job.meta.duration_seconds)


@dataclass(frozen=True)
class FleetDetection:
    """Finds the mouse in many videos on a cluster.

    Args:
        fleet: the computers.
        detector: opens what finds the mouse, given ``device``; pickled.
        fingerprint: of that detector; the cluster's must be equal.
    """

    fleet: Fleet
    detector: Finding
    fingerprint: str

    def tracks(
        self,
        videos: Mapping[str, tuple[Path, str]],
        *,
        tracker: Tracker,
        detect_every: int,
        progress: Callable[[int, int], None],
    ) -> Generator[tuple[str, Track | Exception], None, None]:
        """Tracks as they are found; first those that are known.

        Args:
            videos: path and SHA-256 of the bytes, by key.
            tracker: keeps them here, with the same detector.
            detect_every: frames between detections.
            progress: called with (videos done, videos in all).

        Yields:
            Key of a video, and its track or the error that it ended with.

        Raises:
            FleetError: see :meth:`~mouse_ar.pipelines.fleet.cluster.Fleet.run`.
        """
        known = {key: tracker.known(sha256) for key, (_, sha256) in videos.items()}
        yield from ((key, track) for key, track in known.items() if track is not None)
        missing = [key for key, track in known.items() if track is None]
        packed = pickle.dumps(
            _Tools(
                device=self.fleet.device,
                threads=max(1, int(self.fleet.needs.cpus)),
                detector=self.detector,
                fingerprint=self.fingerprint,
            )
        )

        def work(key: str) -> _Detection:
            path, sha256 = videos[key]
            return _Detection(packed, path, sha256=sha256, detect_every=detect_every)

        with closing(self.fleet.run(_detect, missing, work=work)) as answers:
            for number, (key, found) in enumerate(answers, start=1):
                if isinstance(found, Track):
                    path, sha256 = videos[key]
                    tracker.keep(found, sha256=sha256, name=path.name)
                progress(number, len(missing))
                yield key, found


@dataclass(frozen=True)
class _Tools:
    """What tasks work with; opened once in each process of the cluster, and when it is needed."""

    device: str
    threads: int
    detector: Finding
    fingerprint: str | None
    predictor: Loading | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class _Scoring:
    tools: bytes
    order: Order
    detect_every: int
    batch_size: int


@dataclass(frozen=True)
class _Detection:
    tools: bytes
    path: Path
    sha256: str
    detect_every: int


class _Opened:
    """The tools in a process of the cluster."""

    def __init__(self, tools: _Tools) -> None:
        self._tools, self._stack = tools, ExitStack()
        atexit.register(self._stack.close)

    @cached_property
    def predictor(self) -> Predictor:
        """The model."""
        assert self._tools.predictor is not None
        loaded = self._tools.predictor(device=pick_device(self._tools.device))
        self._require("model", loaded.sha256, self._tools.sha256)
        return loaded

    @cached_property
    def detector(self) -> Detector:
        """What finds the mouse."""
        opened = self._stack.enter_context(self._tools.detector(device=self._tools.device))
        self._require("detector", opened.fingerprint, self._tools.fingerprint)
        return opened

    def tracker(self, detect_every: int) -> Tracker:
        """Finds the mouse unless that was done before on this computer."""
        return Tracker(detector=self.detector, detect_every=detect_every)

    def _require(self, what: str, got: str, expected: str | None) -> None:
        if got != expected:
            raise FleetError(
                f"the {what} is another one there ({got}) than where the run was started "
                f"({expected}). Expected the same files everywhere; an RT-DETRv2 on GPUs needs "
                "that the run is started on a computer with one."
            )


@lru_cache(maxsize=1)
def _opened(tools: bytes) -> _Opened:
    opened = pickle.loads(tools)
    if opened.device == "cpu":
        torch.set_num_threads(opened.threads)
    return _Opened(opened)


def _score(task: _Scoring) -> tuple[Scored | Exception, dict[str, float]]:
    """Runs on the cluster: a video's scores or what is the matter with it, and times by stage."""
    opened, meter = _opened(task.tools), Meter()
    predictor = opened.predictor
    job = task.order.job(lambda: opened.tracker(task.detect_every))
    engine = predictor.engine(batch_size=task.batch_size, meter=meter)
    ((_, outcome),) = engine.run([job])
    return sendable(outcome) if isinstance(outcome, Exception) else outcome, meter.drain()


def _detect(task: _Detection) -> Track | Exception:
    """Runs on the cluster: a video's track, or what is the matter with it."""
    tracker = _opened(task.tools).tracker(task.detect_every)
    try:
        return tracker.track(probe(task.path), sha256=task.sha256, progress=_silent)
    except Exception as error:
        return sendable(error)


def _silent(*told: Any) -> None:
    """Nobody sees the progress within a task."""
