"""Several devices of one machine: a process for each, and a queue of videos for all of them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, Self

import torch

from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.engine import Engine, JobProgress
from mouse_ar.pipelines.job import Scored, ScoringJob
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.predictor import Predictor, pick_device
from mouse_ar.pipelines.tracks import Tracker

__all__ = ["Order", "Pool", "Scorers", "WorkerPool", "Workers", "sendable"]

_WAIT_SECONDS = 0.2
_END_SECONDS = 5.0


class Pool(Protocol):
    """Scores videos, wherever that is done: :class:`~.engine.Engine` does it in this process."""

    def run(
        self, jobs: Iterable[ScoringJob], *, at_once: int = 2, progress: JobProgress | None = None
    ) -> Generator[tuple[ScoringJob, Scored | Exception], None, None]:
        """See :meth:`~.engine.Engine.run`."""
        ...


class Scorers(Protocol):
    """What scores videos outside this process."""

    def pool(self, *, detect_every: int, batch_size: int, meter: Meter) -> Pool:
        """Have them ready for a run.

        Args:
            detect_every: frames between detections.
            batch_size: windows per forward pass.
            meter: counts times.
        """
        ...


@dataclass(frozen=True)
class Workers:
    """What each process works with; all of it is pickled.

    Args:
        devices: of the processes; one may be named several times.
        predictor: loads the model for a device, given as ``device=``.
        detector: opens what finds the mouse, for the name of a device, given as ``device=``.
    """

    devices: Sequence[str]
    predictor: Callable[..., Predictor]
    detector: Callable[..., AbstractContextManager[Detector]]

    def __post_init__(self) -> None:
        if not self.devices:
            raise ValueError("Name at least one device, as in --devices cuda:0,cuda:1.")
        for name in self.devices:
            pick_device(name)

    def pool(self, *, detect_every: int, batch_size: int, meter: Meter) -> WorkerPool:
        """See :class:`Scorers`."""
        return WorkerPool(self, detect_every=detect_every, batch_size=batch_size, meter=meter)


@dataclass(frozen=True, eq=False)
class Order:
    """A job as it goes to a process, which has a detector of its own.

    Args:
        values: of the job, but for what cannot be sent.
        sha256: of the video's bytes, where the mouse is to be found first.
    """

    values: dict[str, Any]
    sha256: str | None

    @classmethod
    def of(cls, job: ScoringJob) -> Self:
        """What there is to send of a job."""
        names = ("key", "meta", "spec", "actions", "track", "without_mouse", "stride_frames")
        values = {name: getattr(job, name) for name in (*names, "partial")}
        return cls(values, job.finder.sha256 if job.finder else None)

    def job(self, tracker: Callable[[], Tracker]) -> ScoringJob:
        """The job, with the means of the process that does it.

        Args:
            tracker: gives what finds the mouse, where that is needed.
        """
        if self.sha256 is None:
            return ScoringJob(**self.values)
        finder = tracker().finder(self.values["meta"], sha256=self.sha256)
        return ScoringJob(**self.values, finder=finder)


class _Worker:
    """One process, seen from here."""

    def __init__(self, device: str, arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.device = device
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, device, *arguments), name=f"worker {device}", daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.job: ScoringJob | None = None
        self.frames_done = 0

    def give(self, job: ScoringJob) -> None:
        """Have a job done."""
        self.job, self.frames_done = job, 0
        self.connection.send(Order.of(job))

    def end(self) -> None:
        """Stop the process, whatever it does."""
        self.process.terminate()
        self.process.join(_END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


class WorkerPool:
    """Scores videos as :class:`~.engine.Engine` does, several at a time.

    A process that dies takes the video that it was at with it; another one takes its place.

    Args:
        workers: the processes.
        detect_every: frames between detections.
        batch_size: windows per forward pass.
        meter: counts times.
    """

    def __init__(
        self, workers: Workers, *, detect_every: int, batch_size: int, meter: Meter
    ) -> None:
        self._arguments = (workers, detect_every, batch_size)
        self._devices, self._meter = workers.devices, meter
        self._workers: list[_Worker] = []

    def run(
        self, jobs: Iterable[ScoringJob], *, at_once: int = 2, progress: JobProgress | None = None
    ) -> Generator[tuple[ScoringJob, Scored | Exception], None, None]:
        """See :meth:`~.engine.Engine.run`; with ``at_once`` 1 a single process is at work.

        Raises:
            OSError: no process could be started.
        """
        tell = progress or (lambda job, what, done, total: None)
        devices = self._devices if at_once > 1 else self._devices[:1]
        source, more = iter(jobs), True
        try:
            self._workers = [_Worker(device, self._arguments) for device in devices]
            while more or any(worker.job for worker in self._workers):
                for worker in list(self._workers):
                    if more and worker.ready and worker.job is None:
                        job = next(source, None)
                        more = job is not None
                        if job is not None:
                            try:
                                worker.give(job)
                            except OSError:  # it died while it had nothing to do
                                yield from self._died(worker)
                yield from self._news(tell)
                if not self._workers:
                    raise OSError(
                        "The processes of all devices have ended before they had a video: use "
                        "fewer devices if the memory does not suffice."
                    )
        finally:
            for worker in self._workers:
                worker.end()
            self._workers = []

    def _news(self, tell: JobProgress) -> Iterator[tuple[ScoringJob, Scored | Exception]]:
        ready = wait([worker.connection for worker in self._workers], timeout=_WAIT_SECONDS)
        for worker in [w for w in self._workers if w.connection in ready]:
            try:
                kind, value = worker.connection.recv()
            except (EOFError, OSError):
                yield from self._died(worker)
                continue
            if kind == "ready":
                worker.ready = True
            elif kind == "unable":
                raise value
            elif kind == "progress" and worker.job is not None:
                self._count(worker, value)
                tell(worker.job, *value[:3])
            elif kind == "done" and worker.job is not None:
                job, worker.job = worker.job, None
                yield job, value

    def _died(self, worker: _Worker) -> Iterator[tuple[ScoringJob, Exception]]:
        worker.process.join(_END_SECONDS)
        self._workers.remove(worker)
        worker.end()
        if worker.job is not None:
            # The videos that are left are not to be lost with it.
            self._workers.append(_Worker(worker.device, self._arguments))
            yield (
                worker.job,
                OSError(
                    f"The process of {worker.device} ended with code {worker.process.exitcode} "
                    "while it was at this video (-9: perhaps the memory was used up)."
                ),
            )

    def _count(self, worker: _Worker, value: tuple[str, int, int, dict[str, float]]) -> None:
        what, done, total, busy = value
        self._meter.take(busy, workers=len(self._devices))
        if what == "classifying" and worker.job is not None:
            fps = worker.job.meta.fps
            new = max(0, done - worker.frames_done)
            worker.frames_done = done
            self._meter.scored(worker.job.key, share=done / total, video_seconds=new / fps)


def _work(
    connection: Connection, device: str, workers: Workers, detect_every: int, batch_size: int
) -> None:
    """What a process does."""
    # Ctrl-C reaches all processes; the one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if device == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // len(workers.devices)))
    with ExitStack() as stack:
        try:
            predictor = workers.predictor(device=torch.device(device))
            detector = stack.enter_context(workers.detector(device=device))
            meter = Meter()
            engine = predictor.engine(batch_size=batch_size, meter=meter)
        except Exception as error:
            connection.send(("unable", sendable(error)))
            return
        # Whoever started this process may be gone.
        stack.enter_context(suppress(EOFError, BrokenPipeError, ConnectionResetError))
        tracker = Tracker(detector=detector, detect_every=detect_every)
        _serve(connection, engine, tracker, meter=meter)


def _serve(connection: Connection, engine: Engine, tracker: Tracker, *, meter: Meter) -> None:
    def jobs() -> Iterator[ScoringJob]:
        while True:
            yield connection.recv().job(lambda: tracker)

    def tell(job: ScoringJob, what: str, done: int, total: int) -> None:
        connection.send(("progress", (what, done, total, meter.drain())))

    connection.send(("ready", None))
    for _, outcome in engine.run(jobs(), at_once=1, progress=tell):
        if isinstance(outcome, Exception):
            outcome = sendable(outcome)
        connection.send(("done", outcome))


def sendable(error: Exception) -> Exception:
    """The error, or its text where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return OSError(f"{type(error).__name__}: {error}")
    return error.with_traceback(None)
