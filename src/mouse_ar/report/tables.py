"""Evaluation results as text for terminals and Markdown files."""

from __future__ import annotations

from mouse_ar.core.metrics import ActionResult, Evaluation
from mouse_ar.core.text import markdown_table

__all__ = [
    "EVALUATION_COLUMNS",
    "evaluation_rows",
    "evaluation_summary",
    "evaluation_table",
    "markdown_table",
]

EVALUATION_COLUMNS = (
    "video",
    "action",
    "true",
    "predicted",
    "bout P",
    "bout R",
    "bout F1",
    "frame P",
    "frame R",
    "frame F1",
    "false/h",
)


def evaluation_table(evaluation: Evaluation) -> str:
    """Bout- and frame-level precision, recall and F1 per action, per video and overall."""
    table = markdown_table(EVALUATION_COLUMNS, evaluation_rows(evaluation, everything="**all**"))
    return f"{table}\n\n{evaluation_summary(evaluation)}"


def evaluation_rows(evaluation: Evaluation, *, everything: str) -> list[list[str]]:
    """Cells of :data:`EVALUATION_COLUMNS`: one row per video and action, then the pooled ones.

    Args:
        evaluation: the results.
        everything: stands for the video in the pooled rows.
    """
    rows = [
        _row(video, action, result)
        for video, results in evaluation.per_video.items()
        for action, result in results.items()
    ]
    return rows + [_row(everything, a, result) for a, result in evaluation.pooled.items()]


def evaluation_summary(evaluation: Evaluation) -> str:
    """The one figure that sums it up, and how bouts were matched."""
    macro = _number(evaluation.macro_bout_f1)
    rule = evaluation.rule
    return (
        f"Bout-level F1, mean over actions: {macro}. State events match at temporal "
        f"IoU >= {rule.state_iou:g}, point events within {rule.point_tolerance_seconds:g} s of "
        "their centres, one to one."
    )


def _row(video: str, action: str, result: ActionResult) -> list[str]:
    return [
        video,
        action,
        str(result.true_count),
        str(result.predicted_count),
        _number(result.bouts.precision),
        _number(result.bouts.recall),
        _number(result.bouts.f1),
        _number(result.frames.precision),
        _number(result.frames.recall),
        _number(result.frames.f1),
        _number(result.false_per_hour, digits=1),
    ]


def _number(value: float | None, *, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
