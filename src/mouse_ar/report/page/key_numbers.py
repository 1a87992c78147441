"""The figures that matter, in words, with how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mouse_ar.core.bootstrap import ConfidenceInterval
from mouse_ar.core.details import ActionDetails, EvaluationDetails
from mouse_ar.core.results import ActionResult, Evaluation
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.human import AgainstHuman
from mouse_ar.report.page.blocks import Block, Table, Text
from mouse_ar.report.tables import (
    EVALUATION_COLUMNS,
    HOW_TO_READ,
    against_cells,
    evaluation_rows,
    figure_cells,
)

__all__ = ["action_words", "key_number_blocks"]

_PERSON = "A second person"
_MODEL = "The model"


def key_number_blocks(result: EvaluatedVideos) -> list[Block]:
    """Sentences per action, a second annotator beside them, and all figures as tables."""
    details, against = result.details, result.against
    is_model = against is None or against.model is not None
    blocks: list[Block] = [
        Text(f"{key} could not be scored: {cause}", warns=True)
        for key, cause in result.failures.items()
    ]
    if details is None:
        return [*blocks, _every_video(result.evaluation)]
    for action in result.evaluation.pooled:
        who = _MODEL if is_model else _PERSON
        words = action_words(result.evaluation, details, action=action, who=who)
        blocks.append(Text(words, lead=f"{action}."))
        if is_model and against is not None:
            human = against.human
            words = action_words(human.evaluation, human.details, action=action, who=_PERSON)
            blocks.append(Text(f"{words} Both were judged by the same labels."))
    tables = (*_figures(result, details), _every_video(result.evaluation))
    return [*blocks, *tables, *_remarks(against)]


def _figures(result: EvaluatedVideos, details: EvaluationDetails) -> Iterator[Table]:
    """All figures, folded: the words above them are enough for most readers."""
    if result.against is None or result.against.model is None:
        columns, rows = figure_cells(result.evaluation, details)
        yield _all_figures(columns, rows, title="All figures")
        return
    for columns, rows in against_cells(result.against):
        yield _all_figures(columns, rows, title=f"All figures: {columns[0]}")


def _remarks(against: AgainstHuman | None) -> Iterator[Text]:
    """How to read the tables, and what the second annotator's labels cover."""
    yield Text(HOW_TO_READ, lead="How to read the tables.")
    if against is None:
        return
    if against.model is not None:
        yield Text(
            f"{against.source}. The tables are of the {len(against.predicted)} videos that both "
            "the model and the second annotator have, without the frames that either annotator is "
            "not sure about.",
            lead="Second annotator:",
        )
    if against.missing:
        yield Text(f"Not labelled by the second annotator: {', '.join(against.missing)}.")
    yield from (Text(note, lead="Note:") for note in against.notes)


def _all_figures(columns: tuple[str, ...], rows: list[list[str]], *, title: str) -> Table:
    return Table(columns, rows, title=title, numbers_from=1, folded=True)


def _every_video(evaluation: Evaluation) -> Table:
    return Table(
        EVALUATION_COLUMNS,
        evaluation_rows(evaluation, everything="all"),
        title="Every video",
        numbers_from=2,
        folded=True,
    )


def action_words(
    evaluation: Evaluation, details: EvaluationDetails, *, action: str, who: str
) -> str:
    """What a biologist wants to know of one action.

    Args:
        evaluation: counts.
        details: agreement and intervals.
        action: its name.
        who: is judged, as the start of a sentence.
    """
    result = evaluation.pooled[action]
    intervals = {} if details.intervals is None else details.intervals.by_action.get(action, {})
    hours = result.scored_seconds / 3600
    time = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
    judged = f"Judged on {result.true_count} true bouts in {time} of {_videos(evaluation)}."
    return " ".join(
        [*_found(result, intervals, who=who), *_amounts(details.actions[action]), judged]
    )


def _found(
    result: ActionResult, intervals: Mapping[str, ConfidenceInterval | None], *, who: str
) -> Iterator[str]:
    recall, precision = result.bouts.recall, result.bouts.precision
    if recall is None:
        yield "There are no true bouts, so nothing tells how many would be found."
    else:
        yield (
            f"Of 100 true bouts {_lower(who)} finds about {100 * recall:.0f}"
            f"{_between(intervals.get('bout_recall'), scale=100)}."
        )
    if precision is None:
        yield f"{who} reports none."
    else:
        yield (
            f"Of 100 reported bouts about {100 * precision:.0f} are real"
            f"{_between(intervals.get('bout_precision'), scale=100)}."
        )
    rate = result.false_per_hour
    if rate is not None:
        around = _between(intervals.get("false_per_hour"), scale=1, digits=1)
        yield f"An hour of video has {rate:.1f} false ones{around}."


def _lower(who: str) -> str:
    return who[0].lower() + who[1:]


def _between(interval: ConfidenceInterval | None, *, scale: float, digits: int = 0) -> str:
    if interval is None:
        return ""
    low, high = scale * interval.low, scale * interval.high
    return f" (95 % interval {low:.{digits}f} to {high:.{digits}f})"


def _amounts(details: ActionDetails) -> Iterator[str]:
    """What enters a study: counts, time, and where bouts start."""
    count, duration, onset = details.count, details.duration, details.onset
    if count.mean_error is not None and duration.mean_error is not None:
        counted = _off(count.mean_error, "too high", "too low", digits=1)
        lasting = _off(duration.mean_error, "s too long", "s too short", digits=1)
        yield f"Over the videos the count is on average {counted} and the time {lasting}."
    if onset.mean_seconds is not None:
        when = _off(onset.mean_seconds, "s late", "s early", digits=2)
        yield f"The start of a found bout is on average {when}."


def _off(error: float, above: str, below: str, *, digits: int) -> str:
    size = f"{abs(error):.{digits}f}"
    if not float(size):
        return "right"
    return f"{size} {above if error > 0 else below}"


def _videos(evaluation: Evaluation) -> str:
    number = len(evaluation.per_video)
    return "one video: no interval" if number == 1 else f"{number} videos"
