"""Evaluation results as text for terminals and Markdown files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mouse_ar.core.agreement import Agreement, TimingError
from mouse_ar.core.bootstrap import ConfidenceInterval
from mouse_ar.core.details import ActionDetails, EvaluationDetails
from mouse_ar.core.metrics import ActionResult, Evaluation
from mouse_ar.core.text import markdown_table
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.human import AgainstHuman, Judged

__all__ = [
    "EVALUATION_COLUMNS",
    "HOW_TO_READ",
    "against_cells",
    "against_tables",
    "evaluated_tables",
    "evaluation_rows",
    "evaluation_table",
    "figure_cells",
    "figures_table",
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
    return f"{table}\n\n{_evaluation_summary(evaluation)}"


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


def _evaluation_summary(evaluation: Evaluation) -> str:
    """The one figure that sums it up, and how bouts were matched."""
    macro = _number(evaluation.macro_bout_f1)
    rule = evaluation.rule
    return (
        f"Bout-level F1, mean over actions: {macro}. State events match at temporal "
        f"IoU >= {rule.state_iou:g}, point events within {rule.point_tolerance_seconds:g} s of "
        "their centres, one to one."
    )


@dataclass(frozen=True)
class _Judged:
    """One action as one predictor does it."""

    result: ActionResult
    details: ActionDetails
    intervals: Mapping[str, ConfidenceInterval | None]

    def figure(self, name: str, value: float | None, *, digits: int = 3) -> str:
        """A value with its interval, where it has one."""
        return _with_interval(value, self.intervals.get(name), digits=digits)


def _columns(evaluation: Evaluation, details: EvaluationDetails) -> dict[str, _Judged]:
    intervals = {} if details.intervals is None else details.intervals.by_action
    return {
        action: _Judged(result, details.actions[action], intervals.get(action, {}))
        for action, result in evaluation.pooled.items()
    }


Cells = tuple[tuple[str, ...], list[list[str]]]  # columns and rows of a table
_Figure = Callable[[_Judged], str]
_COUNTED: dict[str, _Figure] = {
    "bout F1": lambda j: j.figure("bout_f1", j.result.bouts.f1),
    "bout precision": lambda j: j.figure("bout_precision", j.result.bouts.precision),
    "bout recall": lambda j: j.figure("bout_recall", j.result.bouts.recall),
    "false bouts per hour": lambda j: j.figure("false_per_hour", j.result.false_per_hour, digits=1),
    "bout F1 at IoU 0.1 / 0.3 / 0.5": lambda j: " / ".join(
        _number(counts.f1)
        for iou, counts in zip(j.details.bouts.ious, j.details.bouts.counts, strict=True)
        if iou in {0.1, 0.3, 0.5}
    ),
    "frame F1": lambda j: j.figure("frame_f1", j.result.frames.f1),
    "frame precision": lambda j: j.figure("frame_precision", j.result.frames.precision),
    "frame recall": lambda j: j.figure("frame_recall", j.result.frames.recall),
    "Cohen's kappa of the frames": lambda j: _number(j.details.kappa),
    "count per video": lambda j: _agreement(j.details.count, digits=1),
    "count in all": lambda j: _share(j.details.count.total_error_share),
    "seconds per video": lambda j: _agreement(j.details.duration, digits=1),
    "seconds in all": lambda j: _share(j.details.duration.total_error_share),
    "latency, s": lambda j: _agreement(j.details.latency.both, digits=2),
    "latency missed / invented": lambda j: (
        f"{j.details.latency.missed} / {j.details.latency.invented} videos"
    ),
    "start of matched bouts, s": lambda j: _timing(j.details.onset),
    "end of matched bouts, s": lambda j: _timing(j.details.offset),
}
_RANKED: dict[str, _Figure] = {
    "average precision of the frames": lambda j: _number(j.result.average_precision),
    "area under the ROC curve": lambda j: _number(
        None if j.details.curves is None else j.details.curves.roc_auc
    ),
    "true frames found at 5 % false ones": lambda j: _number(
        None if j.details.curves is None else j.details.curves.tpr_at_5_percent_fpr
    ),
    "bout mAP over IoU 0.1 to 0.9": lambda j: _number(j.details.bouts.mean_average_precision),
}
HOW_TO_READ = (
    "In brackets: 95 % interval over the videos. Errors are predicted minus true: mean, mean size, "
    "and Pearson's r over the videos where there are three or more. See docs/evaluation.md."
)


def evaluated_tables(result: EvaluatedVideos) -> str:
    """All that a terminal or ``evaluation.md`` shows of an evaluation."""
    parts = [evaluation_table(result.evaluation)]
    if result.details is not None:
        parts.append(figures_table(result.evaluation, result.details))
    if result.against is not None:
        parts.append(against_tables(result.against))
    return "\n\n".join(parts)


def figures_table(evaluation: Evaluation, details: EvaluationDetails) -> str:
    """Key figures pooled over the videos, with intervals: a column per action."""
    few = details.intervals is None or details.intervals.videos < 2
    note = "One video has no interval: it tells nothing of how videos differ. " if few else ""
    return f"{markdown_table(*figure_cells(evaluation, details))}\n\n{note}{HOW_TO_READ}"


def figure_cells(evaluation: Evaluation, details: EvaluationDetails) -> Cells:
    """Columns and rows of :func:`figures_table`."""
    return _cells(_columns(evaluation, details), _COUNTED | _RANKED, title="figure")


def against_tables(against: AgainstHuman) -> str:
    """The second annotator, and the model on the same videos beside it."""
    macros = ", ".join(
        f"{who} {_macro(found.evaluation, found.details)}" for who, found in _present(against)
    )
    lines = [
        f"Second annotator ({against.source}) on {len(against.predicted)} videos, as a prediction "
        f"of the same labels. Bout-level F1, mean over actions: {macros}.",
    ]
    for cells in against_cells(against):
        lines += ["", markdown_table(*cells)]
    if against.missing:
        lines += ["", f"Not labelled by the second annotator: {', '.join(against.missing)}."]
    lines += [f"Note: {note}" for note in against.notes]
    return "\n".join(lines)


def against_cells(against: AgainstHuman) -> list[Cells]:
    """Columns and rows of a table per action, whose name is its first column."""
    columns = {who: _columns(found.evaluation, found.details) for who, found in _present(against)}
    return [
        _cells({who: judged[action] for who, judged in columns.items()}, _COUNTED, title=action)
        for action in against.human.evaluation.pooled
    ]


def _present(against: AgainstHuman) -> list[tuple[str, Judged]]:
    judged = (("model", against.model), ("second annotator", against.human))
    return [(who, found) for who, found in judged if found is not None]


def _cells(columns: Mapping[str, _Judged], figures: Mapping[str, _Figure], *, title: str) -> Cells:
    rows = [[name, *(of(judged) for judged in columns.values())] for name, of in figures.items()]
    return (title, *columns), rows


def _macro(evaluation: Evaluation, details: EvaluationDetails) -> str:
    intervals = {} if details.intervals is None else details.intervals.overall
    return _with_interval(evaluation.macro_bout_f1, intervals.get("macro_bout_f1"))


def _with_interval(
    value: float | None, interval: ConfidenceInterval | None, *, digits: int = 3
) -> str:
    if interval is None:
        return _number(value, digits=digits)
    low, high = _number(interval.low, digits=digits), _number(interval.high, digits=digits)
    return f"{_number(value, digits=digits)} [{low}, {high}]"


def _agreement(agreement: Agreement, *, digits: int) -> str:
    if agreement.mean_error is None:
        return "–"
    size = _number(agreement.mean_absolute_error, digits=digits)
    r = "" if agreement.correlation is None else f", r {agreement.correlation:.2f}"
    return f"{agreement.mean_error:+.{digits}f}, size {size}{r}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1%}"


def _timing(error: TimingError) -> str:
    if error.mean_seconds is None:
        return "–"
    return f"{error.mean_seconds:+.2f}, size {_number(error.mean_absolute_seconds, digits=2)}"


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
