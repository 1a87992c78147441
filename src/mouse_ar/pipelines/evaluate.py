"""How good a checkpoint is on full-length videos with human labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.details import EvaluationDetails, evaluate_details
from mouse_ar.core.metrics import Evaluation, VideoPair, evaluate
from mouse_ar.core.platt import Calibration
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.files import sha256_of
from mouse_ar.data.second_labels import SecondLabels
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.human import AgainstHuman, against_human, operating_thresholds
from mouse_ar.pipelines.job import Scored, ScoringJob
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.pipelines.workers import Pool
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import probe

__all__ = ["BATCH_SIZE", "EvaluatedVideos", "beside_human", "evaluate_videos", "require_videos"]

Progress = Callable[[str, int, int], None]

BATCH_SIZE = 16


@dataclass(frozen=True, eq=False)
class EvaluatedVideos:
    """Result of an evaluation with everything needed to draw it.

    Args:
        evaluation: the metrics, over the videos that could be scored.
        predicted: bouts by video key.
        scores: per-frame scores by video key, as the model gave them.
        timestamps_seconds: presentation times of the frames by video key, float64 (T,).
        failures: cause by key of the videos that could not be scored.
        details: curves, agreement and intervals, where they were asked for.
        against: the same of a second annotator, where there is one.
        calibration: makes probabilities of the scores.
    """

    evaluation: Evaluation
    predicted: dict[str, Ethogram]
    scores: dict[str, ActionScores]
    timestamps_seconds: dict[str, NDArray[np.float64]]
    failures: dict[str, str] = field(default_factory=dict)
    details: EvaluationDetails | None = None
    against: AgainstHuman | None = None
    calibration: Calibration = field(default_factory=Calibration)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what ``evaluation.json`` holds."""
        return {
            **self.evaluation.to_dict(),
            "failures": self.failures,
            "details": None if self.details is None else self.details.to_dict(),
            "against": None if self.against is None else self.against.to_dict(),
        }


def require_videos(records: Sequence[VideoRecord]) -> None:
    """Raise a ValueError that says what to do where there are no videos."""
    if not records:
        raise ValueError(
            "No videos to evaluate on: the project has no such split. Preprocess with at least "
            "one test video, or choose --split val."
        )


def evaluate_videos(
    records: Sequence[VideoRecord],
    *,
    predictor: Predictor,
    stride_frames: int | None = None,
    batch_size: int = BATCH_SIZE,
    tracker: Tracker | None = None,
    details: bool = True,
    progress: Progress | None = None,
    pool: Pool | None = None,
) -> EvaluatedVideos:
    """Score, decode and compare with the labels.

    Args:
        records: the videos; the boxes are those of the project, where it has some.
        predictor: the model.
        stride_frames: step between windows; a quarter of the window by default.
        batch_size: windows per forward pass.
        tracker: finds the mouse in videos without stored boxes, as inference would; without it
            their whole picture is scored.
        details: with curves, agreement and intervals; not worth their time for many short clips.
        progress: called with (what, done, total).
        pool: scores the videos in place of this process, in batches of the same size; detects as
            ``tracker`` does.

    Raises:
        ValueError: no videos.
    """
    require_videos(records)
    run = _Run(records, predictor, tracker=tracker, stride_frames=stride_frames)
    run.score_all(
        pool or predictor.engine(batch_size=batch_size, mix=False),
        progress=progress or (lambda what, done, total: None),
        counted=pool is not None,
    )
    # In the order of the records, whichever was done first.
    keys = [record.key for record in records if record.key in run.pairs]
    pairs, scores = {k: run.pairs[k] for k in keys}, {k: run.scores[k] for k in keys}
    evaluation = evaluate(pairs, actions=predictor.actions, scores=scores)
    found = None
    if details:
        found = evaluate_details(
            pairs,
            evaluation=evaluation,
            actions=predictor.actions,
            scores=scores,
            thresholds=operating_thresholds(predictor.decoding),
        )
    return EvaluatedVideos(
        calibration=predictor.calibration,
        evaluation=evaluation,
        details=found,
        predicted={key: pair.predicted for key, pair in pairs.items()},
        scores=scores,
        timestamps_seconds={key: run.times[key] for key in keys},
        failures=run.failures,
    )


def beside_human(
    result: EvaluatedVideos | None,
    second: SecondLabels,
    records: Sequence[VideoRecord],
    *,
    source: str,
    actions: ActionSet,
    decoding: DecodingParams | None = None,
) -> EvaluatedVideos:
    """Add what a second annotator's labels are worth against the same truth.

    Args:
        result: of the model; without one the second annotator's figures are the result.
        second: labels of the second annotator.
        records: the videos with their labels.
        source: what to call the second labels.
        actions: what to score.
        decoding: of the model; gives the thresholds to mark on its curves.

    Raises:
        ValueError: see :func:`~mouse_ar.pipelines.human.against_human`.
    """
    against = against_human(
        second,
        records,
        source=source,
        actions=actions,
        predicted=None if result is None else result.predicted,
        scores=None if result is None else result.scores,
        thresholds=None if decoding is None else operating_thresholds(decoding),
    )
    if result is not None:
        return replace(result, against=against)
    return EvaluatedVideos(
        evaluation=against.human.evaluation,
        details=against.human.details,
        predicted=dict(against.predicted),
        scores={},
        timestamps_seconds={},
        against=against,
    )


class _Run:
    """The videos on their way through the model, and what comes of them by key."""

    def __init__(
        self,
        records: Sequence[VideoRecord],
        predictor: Predictor,
        *,
        tracker: Tracker | None,
        stride_frames: int | None,
    ) -> None:
        self._records = {record.key: record for record in records}
        self._labels = {key: f"{n}/{len(records)} {key}" for n, key in enumerate(self._records, 1)}
        self._predictor, self._tracker, self._stride = predictor, tracker, stride_frames
        self.pairs: dict[str, VideoPair] = {}
        self.scores: dict[str, ActionScores] = {}
        self.times: dict[str, NDArray[np.float64]] = {}
        self.failures: dict[str, str] = {}

    def score_all(self, pool: Pool, *, progress: Progress, counted: bool) -> None:
        """Run all of them; ``counted`` also tells of the number of videos that are done."""

        def tell(job: ScoringJob, what: str, done: int, total: int) -> None:
            progress(f"{what} {self._labels[job.key]}", done, total)

        with closing(pool.run(self._jobs(), progress=tell)) as outcomes:
            for job, outcome in outcomes:
                try:
                    self._take(job, outcome)
                except VIDEO_FAILURES as error:
                    self.failures[job.key] = str(error)
                if counted:
                    done = len(self.pairs) + len(self.failures)
                    progress("evaluating videos", done, len(self._records))

    def _jobs(self) -> Iterator[ScoringJob]:
        for record in self._records.values():
            try:
                job = self._job(record)
            except VIDEO_FAILURES as error:
                self.failures[record.key] = str(error)
            else:
                yield job

    def _job(self, record: VideoRecord) -> ScoringJob:
        meta, tracker = probe(record.path), self._tracker
        make = partial(
            ScoringJob,
            key=record.key,
            meta=meta,
            spec=self._predictor.spec_for(meta),
            actions=self._predictor.actions,
            stride_frames=self._stride,
        )
        if record.track.present_T.any() or tracker is None:
            return make(track=record.track)
        sha256 = sha256_of(record.path)
        known = tracker.known(sha256)
        finder = None if known else tracker.finder(meta, sha256=sha256)
        # A frame without a box is then known to show no mouse.
        return make(track=known, finder=finder, without_mouse=True)

    def _take(self, job: ScoringJob, outcome: Scored | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        record, predicted = self._records[job.key], self._predictor.decode(outcome.scores)
        self.pairs[job.key] = VideoPair(predicted, record.ethogram, record.ignored)
        self.scores[job.key] = outcome.scores
        self.times[job.key] = job.meta.timestamps_seconds
