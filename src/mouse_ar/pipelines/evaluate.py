"""How good a checkpoint is on full-length videos with human labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mouse_ar.core.decoding import decode
from mouse_ar.core.metrics import Evaluation, VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.video.probe import probe

__all__ = ["EvaluatedVideos", "evaluate_videos"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class EvaluatedVideos:
    """Result of an evaluation with everything needed to draw it.

    Args:
        evaluation: the metrics.
        predicted: bouts by video key.
        scores: per-frame probabilities by video key.
    """

    evaluation: Evaluation
    predicted: dict[str, Ethogram]
    scores: dict[str, ActionScores]


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
    predicted: dict[str, Ethogram] = {}
    scores: dict[str, ActionScores] = {}
    for number, record in enumerate(records):
        label = f"classifying {number + 1}/{len(records)} {record.key}"
        scores[record.key] = predictor.score(
            probe(record.path),
            record.track,
            stride_frames=stride_frames,
            batch_size=batch_size,
            progress=None
            if progress is None
            else lambda done, total, label=label: progress(label, done, total),  # type: ignore[misc]
        )
        predicted[record.key] = decode(
            scores[record.key], actions=predictor.actions, params=predictor.decoding
        )
    evaluation = evaluate(
        {r.key: VideoPair(predicted[r.key], r.ethogram, r.ignored) for r in records},
        actions=predictor.actions,
        scores=scores,
    )
    return EvaluatedVideos(evaluation, predicted, scores)
