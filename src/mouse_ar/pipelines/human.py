"""The human ceiling: a second annotator scored as a prediction, beside the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import DecodingParams, PointDecoding
from mouse_ar.core.details import EvaluationDetails, evaluate_details
from mouse_ar.core.metrics import Evaluation, VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.second_labels import SecondLabels
from mouse_ar.data.training_data import VideoRecord

__all__ = ["AgainstHuman", "Judged", "against_human", "judge", "operating_thresholds"]


@dataclass(frozen=True, eq=False)
class Judged:
    """Everything that tells how good a prediction is.

    Args:
        evaluation: counts, precision, recall and F1.
        details: curves, agreement, intervals.
    """

    evaluation: Evaluation
    details: EvaluationDetails

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**self.evaluation.to_dict(), "details": self.details.to_dict()}


@dataclass(frozen=True, eq=False)
class AgainstHuman:
    """A second annotator, scored as a prediction against the same labels: the human ceiling.

    Args:
        source: where the second labels come from.
        human: how good the second annotator is.
        model: how good the model is on the same videos and frames; None where there is no model.
        predicted: bouts of the second annotator by video key.
        missing: videos that the second annotator did not label; they are in neither.
        notes: what else the reader should know of the second labels.
    """

    source: str
    human: Judged
    model: Judged | None
    predicted: Mapping[str, Ethogram]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "source": self.source,
            "videos": list(self.predicted),
            "missing": list(self.missing),
            "notes": list(self.notes),
            "human": self.human.to_dict(),
            "model": None if self.model is None else self.model.to_dict(),
        }


def operating_thresholds(decoding: DecodingParams) -> dict[str, float]:
    """The score that an event of each action must reach."""
    return {
        name: found.threshold if isinstance(found, PointDecoding) else found.on_threshold
        for name, found in decoding.by_action.items()
    }


def judge(
    pairs: Mapping[str, VideoPair],
    *,
    actions: ActionSet,
    scores: Mapping[str, ActionScores] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Judged:
    """All figures of some predictions.

    Args:
        pairs: prediction and truth by video.
        actions: what to score.
        scores: per-frame scores by video, where there are some.
        thresholds: score to mark on the curves, by action.
    """
    evaluation = evaluate(pairs, actions=actions, scores=scores)
    details = evaluate_details(
        pairs, evaluation=evaluation, actions=actions, scores=scores, thresholds=thresholds
    )
    return Judged(evaluation, details)


def against_human(
    second: SecondLabels,
    records: Sequence[VideoRecord],
    *,
    source: str,
    actions: ActionSet,
    predicted: Mapping[str, Ethogram] | None = None,
    scores: Mapping[str, ActionScores] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> AgainstHuman:
    """Score a second annotator, and a model on the very same videos and frames.

    Frames that either annotator is not sure about are left out for both.

    Args:
        second: labels of the second annotator.
        records: the videos with their labels, which are the truth here.
        source: what to call the second labels.
        actions: what to score.
        predicted: bouts of the model by video, where there is one.
        scores: its per-frame scores by video.
        thresholds: its scores to mark on the curves, by action.

    Raises:
        ValueError: when the model could score none of the videos of the second annotator.
    """
    common = [
        record
        for record in records
        if record.key in second.ethograms and (predicted is None or record.key in predicted)
    ]
    if not common:
        raise ValueError(
            f"{source}: the model could score none of the {len(second.ethograms)} videos that "
            "the second annotator labelled; see their failures."
        )

    def pairs(ethograms: Mapping[str, Ethogram]) -> dict[str, VideoPair]:
        return {
            record.key: VideoPair(
                ethograms[record.key],
                record.ethogram,
                (*record.ignored, *second.ignored.get(record.key, ())),
            )
            for record in common
        }

    model = None
    if predicted is not None:
        model = judge(pairs(predicted), actions=actions, scores=scores, thresholds=thresholds)
    return AgainstHuman(
        source=source,
        human=judge(pairs(second.ethograms), actions=actions),
        model=model,
        predicted={record.key: second.ethograms[record.key] for record in common},
        missing=second.missing,
        notes=second.notes,
    )
