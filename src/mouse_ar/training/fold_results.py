"""Figures of a cross-validation: per fold, their spread, and pooled over the folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.results import ActionResult, Counts, Evaluation

__all__ = ["fold_metrics", "folds_document", "pooled_metrics", "spread"]


def fold_metrics(evaluation: Evaluation, *, val_score: float) -> dict[str, float | None]:
    """Figures of one fold by name: ``macro/frame F1``, ``<action>/bout precision``, ….

    Args:
        evaluation: of the held-out clips.
        val_score: what chose the checkpoint; not independent of it, but telling beside the rest.

    Returns:
        Figures by name; None where one is undefined.

    An action that does not occur in the fold has none: its F1 would be 0 or undefined, whatever
    the model is worth. The macro is the mean over the actions that occur.
    """
    by_action = {
        name: _figures(result)
        for name, result in evaluation.pooled.items()
        if result.true_count or result.frames.tp + result.frames.fn
    }
    found: dict[str, float | None] = {}
    for figure in ("frame F1", "average precision", "bout F1"):
        found[f"macro/{figure}"] = _mean(figures[figure] for figures in by_action.values())
    for name in evaluation.pooled:
        for figure in _figures(ActionResult()):
            found[f"{name}/{figure}"] = by_action.get(name, {}).get(figure)
    return found | {"validation score": val_score}


def folds_document(
    results: Sequence[Mapping[str, Any]],
    *,
    folds: int,
    actions: ActionSet,
    with_val: bool,
    out_of_fold: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Content of ``folds.json``: the folds, their spread, the pooled figures and what they mean.

    Args:
        results: of the folds that are finished.
        folds: how many there are to be.
        actions: classes.
        with_val: whether val videos chose the checkpoints.
        out_of_fold: what was fitted to the held-out clips of all folds, once all are finished.
    """
    chosen_by = (
        "The val videos chose every fold's checkpoint and fitted its decoding; they are not among "
        "the held-out clips."
        if with_val
        else "There are no val videos: in every fold clips of further sources, where any could be "
        "spared, chose the checkpoint, and decoding keeps its defaults."
    )
    return {
        "folds": folds,
        "finished": len(results),
        "notes": [
            "Held out are all clips of whole source videos (of whole groups where there are "
            "groups), scored as inference scores a video. Clips are cut around actions: precision "
            "on them is higher than on whole videos, and a long bout counts in every clip that it "
            "was divided into.",
            f"{chosen_by} The validation score is what they were chosen by.",
        ],
        "results": list(results),
        "summary": spread([result["metrics"] for result in results]),
        "pooled": pooled_metrics([result["pooled"] for result in results], actions=actions),
        "out_of_fold": out_of_fold,
    }


def spread(folds: Sequence[Mapping[str, float | None]]) -> dict[str, dict[str, Any]]:
    """Mean, sample standard deviation, least and largest of each figure over the folds.

    Folds in which a figure is undefined are left out; ``folds`` says how many are in. One fold
    alone has no deviation.
    """
    found = {}
    for name in dict.fromkeys(name for fold in folds for name in fold):
        values = [value for fold in folds if (value := fold.get(name)) is not None]
        found[name] = {
            "mean": _mean(values),
            "std": stdev(values) if len(values) > 1 else None,
            "min": min(values, default=None),
            "max": max(values, default=None),
            "folds": len(values),
        }
    return found


def pooled_metrics(
    folds: Iterable[Mapping[str, Mapping[str, Any]]], *, actions: ActionSet
) -> dict[str, dict[str, Any]]:
    """Results by action with the counts of all folds added up.

    Every clip counts once, as judged by the model that has not seen its source. There is no
    average precision: scores of different models have no common scale.

    Args:
        folds: the ``pooled`` part of each fold's evaluation, as JSON.
        actions: classes.
    """
    totals = {name: ActionResult() for name in actions.names}
    for fold in folds:
        for name in totals:
            totals[name] += _from_json(fold[name])
    return {name: total.to_dict() for name, total in totals.items()}


def _from_json(result: Mapping[str, Any]) -> ActionResult:
    def counts(of: str) -> Counts:
        return Counts(*(int(result[of][key]) for key in ("tp", "fp", "fn")))

    return ActionResult(
        frames=counts("frames"),
        bouts=counts("bouts"),
        true_seconds=result["true_seconds"],
        predicted_seconds=result["predicted_seconds"],
        scored_seconds=result["scored_seconds"],
    )


def _figures(result: ActionResult) -> dict[str, float | None]:
    return {
        "frame F1": result.frames.f1,
        "frame precision": result.frames.precision,
        "frame recall": result.frames.recall,
        "average precision": result.average_precision,
        "bout F1": result.bouts.f1,
        "bout precision": result.bouts.precision,
        "bout recall": result.bouts.recall,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None
