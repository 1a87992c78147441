"""All that the report of an evaluation says, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.bout_errors import BoutError, ErrorKind, bout_errors
from mouse_ar.core.metrics import VideoPair
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.human import operating_thresholds
from mouse_ar.pipelines.model_facts import ModelFacts
from mouse_ar.report.page.agreement import agreement_figure
from mouse_ar.report.page.blocks import Block, Section, Text
from mouse_ar.report.page.curves import confusion_figure, overlap_figure, ranking_figure
from mouse_ar.report.page.ethograms import VideoStrip, strip_figures
from mouse_ar.report.page.gallery import error_gallery
from mouse_ar.report.page.key_numbers import key_number_blocks
from mouse_ar.report.page.model import model_blocks, settings_blocks
from mouse_ar.report.page.reliability import reliability_figure

__all__ = ["report_sections"]

_SECOND = "second person"
Errors = Mapping[tuple[str, ErrorKind], Sequence[BoutError]]


def report_sections(
    result: EvaluatedVideos,
    *,
    records: Sequence[VideoRecord],
    actions: ActionSet,
    model: ModelFacts | None = None,
    facts: Mapping[str, object] | None = None,
) -> list[Section]:
    """Sections for any renderer.

    Args:
        result: of the evaluation, with a second annotator where there is one.
        records: the videos with their labels.
        actions: classes.
        model: what was evaluated; None where it is a second annotator alone.
        facts: further lines for the settings.
    """
    pairs = {
        record.key: VideoPair(result.predicted[record.key], record.ethogram, record.ignored)
        for record in records
        if record.key in result.predicted
    }
    errors = bout_errors(pairs, actions=actions, rule=result.evaluation.rule)
    parts: dict[str, Sequence[Block]] = {
        "The model": [] if model is None else model_blocks(model),
        "How good it is": key_number_blocks(result),
        "Bouts over time": _strips(result, records, actions=actions, model=model, errors=errors),
        "Frames and bouts": _curves(result, pairs, actions=actions),
        "Counts and durations": _amounts(result, actions=actions),
        "The worst errors": [
            Text(_GALLERY),
            *error_gallery(
                errors,
                records=records,
                actions=actions,
                scores=result.scores,
                timestamps_seconds=result.timestamps_seconds,
            ),
        ],
        "Settings and versions": settings_blocks(
            result.evaluation.rule, facts=facts or {}, model=model
        ),
    }
    return [Section(title, tuple(blocks)) for title, blocks in parts.items() if blocks]


_GALLERY = (
    "Each clip shows a bout with a little time before and after; the red bar marks the frames of "
    "the bout. False bouts were reported without a matching true one, missed bouts are true ones "
    "without a matching report. Labels may be wrong, too: these are the places to look."
)
_STRIPS = (
    "Dark bars: labelled by a person; bright bars: predicted. A cross marks a bout without a "
    "match: missed in the upper row, false in the lower. Below, the score of each action and "
    "(dotted) the threshold an event must reach; grey: not scored. Drag to zoom, double-click to "
    "see all."
)


def _who(result: EvaluatedVideos) -> str:
    is_person = result.against is not None and result.against.model is None
    return _SECOND if is_person else "model"


def _strips(
    result: EvaluatedVideos,
    records: Sequence[VideoRecord],
    *,
    actions: ActionSet,
    model: ModelFacts | None,
    errors: Errors,
) -> list[Block]:
    second = {} if result.against is None else result.against.predicted
    predicted = "predicted" if _who(result) == "model" else _SECOND
    found = [error for several in errors.values() for error in several]
    strips = []
    for record in records:
        key = record.key
        if key not in result.predicted:
            continue
        rows = {"true": record.ethogram}
        if key in second:
            rows[_SECOND] = second[key]
        rows[predicted] = result.predicted[key]
        strips.append(
            VideoStrip(
                name=key,
                rows=rows,
                errors=[error for error in found if error.video == key],
                predicted_row=predicted,
                scores=result.scores.get(key),
                timestamps_seconds=result.timestamps_seconds.get(key),
                thresholds={} if model is None else operating_thresholds(model.decoding),
                ignored=record.ignored,
            )
        )
    return [Text(_STRIPS), *strip_figures(strips, actions=actions)] if strips else []


def _curves(
    result: EvaluatedVideos,
    pairs: Mapping[str, VideoPair],
    *,
    actions: ActionSet,
) -> list[Block]:
    details = result.details
    if details is None:
        return []
    judged = {_who(result): details}
    if result.against is not None and result.against.model is not None:
        judged = {"model": result.against.model.details, _SECOND: result.against.human.details}
    figures = (
        confusion_figure(details.confusion),
        ranking_figure(details, actions=actions),
        overlap_figure(judged, actions=actions),
        reliability_figure(
            pairs, actions=actions, scores=result.scores, calibration=result.calibration
        ),
    )
    return [figure for figure in figures if figure is not None]


def _amounts(result: EvaluatedVideos, *, actions: ActionSet) -> list[Block]:
    details = result.details
    if details is None:
        return []
    return [
        agreement_figure(details.actions[action.name], action=action, who=_who(result))
        for action in actions.actions
    ]
