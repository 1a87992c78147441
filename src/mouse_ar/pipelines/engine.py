"""Videos through the model: their stages run side by side, so that the slowest sets the pace."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from mouse_ar.core.types import Window
from mouse_ar.data.cutting import WindowGroup
from mouse_ar.data.pixels import MEAN, STD, normalise
from mouse_ar.mvd import MVD
from mouse_ar.mvd.byte_input import ByteMVD
from mouse_ar.pipelines.compiling import compile_model
from mouse_ar.pipelines.job import Scored, ScoringJob, VideoScoring
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.partial import SAVE_SECONDS
from mouse_ar.pipelines.precision import autocast
from mouse_ar.video.ahead import Ahead, NotYet

__all__ = ["Engine", "JobProgress"]

# What is done of a job: (job, "detecting" or "classifying", frames done, frames in all).
JobProgress = Callable[[ScoringJob, str, int, int], None]

_REPORT_SECONDS = 0.2
_GROUPS_AHEAD = 2
# Batches that a GPU has to do while the processor collects the results of the one before.
_IN_FLIGHT = 2
# What a processor's caches have room for: ViT-S takes a tenth (bf16: a sixth) less time a window
# with 4 than with 16 at once.
_CPU_WINDOWS = 4


@dataclass(frozen=True, eq=False)
class _Part:
    """Windows of one video, as a part of a batch."""

    video: _Running
    windows: tuple[Window, ...]
    pixels: Tensor


class _Running:
    """A job whose stages run."""

    def __init__(self, scoring: VideoScoring, *, pin: bool, meter: Meter) -> None:
        self.scoring = scoring
        self.stream = Ahead(
            _tensors(scoring.groups(), pin=pin),
            size=_GROUPS_AHEAD,
            name="crop",
            on_busy=meter.busy("crop"),
        )


class Engine:
    """Scores videos one after the other; the next is being read while the last is classified.

    Args:
        model: in eval mode on ``device``; returns logits (N, K) of normalised pixels, or of uint8
            ones where it has an attribute ``takes_bytes``.
        device: where it runs.
        precision: fp32, bf16 or fp16.
        batch_size: windows per forward pass.
        mix: fill batches with windows of several short videos. By default not on the CPU, where
            that saves no time: each video's numbers then depend on nothing but itself.
        meter: counts times.
        save_seconds: how often what is done of long videos is kept.
        compiled: run an MVD through ``torch.compile``: up to a minute at the start.

    Raises:
        CompileError: ``torch.compile`` does not work on this computer.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        precision: str,
        batch_size: int,
        mix: bool | None = None,
        meter: Meter | None = None,
        save_seconds: float = SAVE_SECONDS,
        compiled: bool = False,
    ) -> None:
        if isinstance(model, MVD):
            model = ByteMVD(model, mean=MEAN, std=STD)
            if compiled:
                compile_model(model, precision=precision, device=device)
        self._model, self._device, self._precision = model, device, precision
        self._takes_bytes = bool(getattr(model, "takes_bytes", False))
        self._batch_size, self._save_seconds = batch_size, save_seconds
        self._mix = device.type != "cpu" if mix is None else mix
        self._meter = meter or Meter()
        self._detecting = threading.Lock()
        self._reading: deque[_Running] = deque()
        self._read: list[_Running] = []
        self._waiting: list[_Part] = []
        self._in_flight: deque[tuple[list[_Part], Tensor]] = deque()

    def run(
        self, jobs: Iterable[ScoringJob], *, at_once: int = 2, progress: JobProgress | None = None
    ) -> Generator[tuple[ScoringJob, Scored | Exception], None, None]:
        """Score videos and give each one's result, or the error that it ended with.

        Args:
            jobs: taken when there is room for another one, in the caller's thread.
            at_once: videos that are read at the same time. With 1 a job is asked for only when
                the caller has taken the result of the one before.
            progress: called in the caller's thread; what it raises ends the run.
        """
        tell = progress or (lambda job, what, done, total: None)
        source = iter(jobs)
        more = True
        try:
            while True:
                while more and len(self._reading) < at_once:
                    job = next(source, None)
                    if job is None:
                        more = False
                    elif (opened := self._open(job)) is not None:
                        yield job, opened
                if self._reading:
                    current = self._reading[0]
                    try:
                        self._advance(current, tell=tell)
                    except _StageError as failed:
                        yield current.scoring.job, failed.cause
                flushed = not self._reading or at_once == 1
                if flushed:
                    self._flush()
                for video in list(self._read):
                    if video.scoring.is_done:
                        self._read.remove(video)
                        yield video.scoring.job, video.scoring.result()
                    elif flushed:  # all windows are classified, but not all by numbers
                        self._read.remove(video)
                        yield video.scoring.job, self._no_numbers()
                if not (self._reading or more):
                    break
        finally:
            self.close()

    def close(self) -> None:
        """Stop all stages."""
        while self._reading:
            self._reading.popleft().stream.close()
        self._read, self._waiting = [], []
        self._in_flight.clear()

    def _no_numbers(self) -> ValueError:
        return ValueError(
            f"The model's scores of this video are not finite in {self._precision}. Try "
            "--precision fp32; if that does not help, the weights are damaged: use another "
            "checkpoint."
        )

    def _open(self, job: ScoringJob) -> Exception | None:
        try:
            scoring = VideoScoring(
                job, batch_size=self._batch_size, detecting=self._detecting, meter=self._meter
            )
        except ValueError as error:  # a stride that leaves frames uncovered
            return error
        pin = self._device.type == "cuda"
        self._reading.append(_Running(scoring, pin=pin, meter=self._meter))
        return None

    def _advance(self, video: _Running, *, tell: JobProgress) -> None:
        """Take the next group of a video, or its end."""
        alone = not self._mix or video.scoring.job.partial is not None
        try:
            with self._meter.timed("wait"):
                group, pixels = video.stream.get(timeout_seconds=_REPORT_SECONDS)
        except NotYet:
            self._tell(video, tell)
            return
        except StopIteration:
            self._reading.popleft()
            self._read.append(video)
            if alone:
                self._flush()
            self._tell(video, tell)
            return
        except Exception as error:
            self._reading.popleft()
            self._waiting = [part for part in self._waiting if part.video is not video]
            raise _StageError(error) from error
        if alone:
            self._flush()
        if group.windows:
            self._waiting.append(_Part(video, group.windows, pixels))
        self._run_full(alone=alone)
        with self._counted(video):
            video.scoring.add_empty(group.empty)
        video.scoring.save(every_seconds=self._save_seconds)
        self._tell(video, tell)

    def _tell(self, video: _Running, tell: JobProgress) -> None:
        scoring, total = video.scoring, video.scoring.job.meta.num_frames
        if scoring.job.finder is not None:
            tell(scoring.job, "detecting", scoring.looked, total)
        tell(scoring.job, "classifying", scoring.frames_done, total)

    @contextmanager
    def _counted(self, video: _Running) -> Iterator[None]:
        """Count what is done of a video meanwhile."""
        before, meta = video.scoring.frames_done, video.scoring.job.meta
        yield
        done = video.scoring.frames_done
        self._meter.scored(
            video.scoring.job.key,
            share=done / meta.num_frames,
            video_seconds=(done - before) / meta.fps,
        )

    def _run_full(self, *, alone: bool) -> None:
        """Run batches that are full; a video that is not mixed has batches of its own."""
        if alone:
            self._forward(self._waiting)
            self._waiting = []
            return
        while sum(len(part.windows) for part in self._waiting) >= self._batch_size:
            batch, room = [], self._batch_size
            while room:
                part = self._waiting.pop(0)
                if len(part.windows) > room:
                    rest = _Part(part.video, part.windows[room:], part.pixels[room:])
                    self._waiting.insert(0, rest)
                    part = _Part(part.video, part.windows[:room], part.pixels[:room])
                batch.append(part)
                room -= len(part.windows)
            self._forward(batch)

    def _flush(self) -> None:
        """Run what waits and collect all results."""
        self._forward(self._waiting)
        self._waiting = []
        while self._in_flight:
            self._land()

    @torch.inference_mode()
    def _forward(self, batch: list[_Part]) -> None:
        if not batch:
            return
        with self._meter.timed("model"):
            parts = [part.pixels.to(self._device, non_blocking=True) for part in batch]
            pixels_NTHWC = parts[0] if len(parts) == 1 else torch.cat(parts)
            size = _CPU_WINDOWS if self._device.type == "cpu" else len(pixels_NTHWC)
            with autocast(self._precision, device=self._device):
                logits_NK = torch.cat(
                    [self._logits(some) for some in torch.split(pixels_NTHWC, size)]
                )
            self._in_flight.append((batch, logits_NK.float().softmax(dim=1)))
        while len(self._in_flight) > (_IN_FLIGHT if self._device.type == "cuda" else 0):
            self._land()

    def _logits(self, pixels_NTHWC: Tensor) -> Tensor:
        given = pixels_NTHWC if self._takes_bytes else normalise(pixels_NTHWC)
        return cast(Tensor, self._model(given))

    def _land(self) -> None:
        batch, probabilities = self._in_flight.popleft()
        with self._meter.timed("model"):
            scores_NK = probabilities.cpu().numpy().astype(np.float32, copy=False)
        start = 0
        for part in batch:
            with self._counted(part.video):
                part.video.scoring.add(part.windows, scores_NK[start : start + len(part.windows)])
            start += len(part.windows)


class _StageError(Exception):
    """A video failed in one of its stages."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _tensors(
    groups: Generator[WindowGroup, None, None], *, pin: bool
) -> Iterator[tuple[WindowGroup, Tensor]]:
    """Pixels as the device wants them; page-locked memory goes to a GPU beside its work."""
    with closing(groups):
        for group in groups:
            pixels = torch.from_numpy(group.pixels)
            yield group, pixels.pin_memory() if pin and len(pixels) else pixels
