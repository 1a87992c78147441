"""How good a checkpoint is on full-length videos with human labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
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
from mouse_ar.core.types import ActionScores, Ethogram, Track
from mouse_ar.data.second_labels import SecondLabels
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.human import AgainstHuman, against_human, operating_thresholds
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.scoring import score_without_mouse
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["EvaluatedVideos", "beside_human", "evaluate_videos", "require_videos"]

Progress = Callable[[str, int, int], None]


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
    batch_size: int = 16,
    tracker: Tracker | None = None,
    details: bool = True,
    progress: Progress | None = None,
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

    Raises:
        ValueError: no videos.
    """
    require_videos(records)
    pairs: dict[str, VideoPair] = {}
    scores: dict[str, ActionScores] = {}
    times: dict[str, NDArray[np.float64]] = {}
    failures: dict[str, str] = {}
    for number, record in enumerate(records):
        label = f"classifying {number + 1}/{len(records)} {record.key}"
        try:
            meta = probe(record.path)
            track, known = _track(record, meta, tracker, label=label, progress=progress)
            if known and not track.present_T.any():
                scored = score_without_mouse(meta, actions=predictor.actions)
            else:
                scored = predictor.score(
                    meta,
                    track,
                    stride_frames=stride_frames,
                    batch_size=batch_size,
                    progress=None if progress is None else partial(progress, label),
                )
            predicted = predictor.decode(scored)
            pairs[record.key] = VideoPair(predicted, record.ethogram, record.ignored)
        except VIDEO_FAILURES as error:
            failures[record.key] = str(error)
            continue
        scores[record.key], times[record.key] = scored, meta.timestamps_seconds
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
        timestamps_seconds=times,
        failures=failures,
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


def _track(
    record: VideoRecord,
    meta: VideoMeta,
    tracker: Tracker | None,
    *,
    label: str,
    progress: Progress | None,
) -> tuple[Track, bool]:
    """The mouse's boxes, and whether a frame without one is known to show no mouse."""
    if record.track.present_T.any() or tracker is None:
        return record.track, False
    with record.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    tell = progress or (lambda what, done, total: None)
    what = label.replace("classifying", "detecting", 1)
    found = tracker.track(meta, sha256=sha256, progress=lambda done, total: tell(what, done, total))
    return found, True
