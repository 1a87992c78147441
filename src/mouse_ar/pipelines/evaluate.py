"""How good a checkpoint is on full-length videos with human labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.decoding import decode
from mouse_ar.core.metrics import Evaluation, VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import probe

__all__ = ["EvaluatedVideos", "evaluate_videos"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class EvaluatedVideos:
    """Result of an evaluation with everything needed to draw it.

    Args:
        evaluation: the metrics, over the videos that could be scored.
        predicted: bouts by video key.
        scores: per-frame probabilities by video key.
        timestamps_seconds: presentation times of the frames by video key, float64 (T,).
        failures: cause by key of the videos that could not be scored.
    """

    evaluation: Evaluation
    predicted: dict[str, Ethogram]
    scores: dict[str, ActionScores]
    timestamps_seconds: dict[str, NDArray[np.float64]]
    failures: dict[str, str] = field(default_factory=dict)


def evaluate_videos(
    records: Sequence[VideoRecord],
    *,
    predictor: Predictor,
    stride_frames: int | None = None,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> EvaluatedVideos:
    """Score, decode and compare with the labels; the boxes are those of the project.

    Raises:
        ValueError: no videos.
    """
    if not records:
        raise ValueError(
            "No videos to evaluate on: the project has no such split. Preprocess with at least "
            "one test video, or choose --split val."
        )
    pairs: dict[str, VideoPair] = {}
    scores: dict[str, ActionScores] = {}
    times: dict[str, NDArray[np.float64]] = {}
    failures: dict[str, str] = {}
    for number, record in enumerate(records):
        label = f"classifying {number + 1}/{len(records)} {record.key}"
        try:
            meta = probe(record.path)
            scored = predictor.score(
                meta,
                record.track,
                stride_frames=stride_frames,
                batch_size=batch_size,
                progress=None if progress is None else partial(progress, label),
            )
            predicted = decode(scored, actions=predictor.actions, params=predictor.decoding)
            pairs[record.key] = VideoPair(predicted, record.ethogram, record.ignored)
        except VIDEO_FAILURES as error:
            failures[record.key] = str(error)
            continue
        scores[record.key], times[record.key] = scored, meta.timestamps_seconds
    return EvaluatedVideos(
        evaluation=evaluate(pairs, actions=predictor.actions, scores=scores),
        predicted={key: pair.predicted for key, pair in pairs.items()},
        scores=scores,
        timestamps_seconds=times,
        failures=failures,
    )
