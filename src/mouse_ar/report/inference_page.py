"""A page on what a run of inference found, for people who will publish the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.summary import ActionSummary, summarise
from mouse_ar.data.files import write_text
from mouse_ar.pipelines.results import VideoResult
from mouse_ar.report.html import inlined_png, render_page

__all__ = ["ActionTotal", "action_totals", "inference_page"]

_PAGE = """
<p>{{ summary }}</p>
{% if failures %}<h2>Videos without a result</h2>
{% for key, cause in failures.items() %}<p class="failed"><b>{{ key }}</b>: {{ cause }}</p>
{% endfor %}{% endif %}
<h2>All videos</h2>
<table><tr><th>action</th><th>bouts</th><th>total (s)</th><th>mean bout (s)</th>
<th>bouts per hour</th><th>share of the time (%)</th><th>videos with it</th></tr>
{% for total in totals %}<tr><td>{{ total.action }}</td>
<td class="number">{{ total.count }}</td>
<td class="number">{{ "%.1f" % total.total_seconds }}</td>
<td class="number">{{ number(total.mean_seconds, 2) }}</td>
<td class="number">{{ number(total.per_hour, 1) }}</td>
<td class="number">{{ number(total.percent, 2) }}</td>
<td class="number">{{ total.videos }}</td></tr>
{% endfor %}</table>
{% if picture %}<h2>Bouts over time</h2><img src="{{ picture }}" alt="Ethogram of each video">
{% endif %}
<h2>Each video</h2>
<table><tr><th>video</th><th>action</th><th>bouts</th><th>total (s)</th><th>mean bout (s)</th>
<th>first at (s)</th><th>share of the time (%)</th><th>checked by a person</th></tr>
{% for row in rows %}<tr><td>{{ row.video }}</td><td>{{ row.of.action }}</td>
<td class="number">{{ row.of.count }}</td>
<td class="number">{{ "%.1f" % row.of.total_seconds }}</td>
<td class="number">{{ number(row.of.mean_seconds, 2) }}</td>
<td class="number">{{ number(row.of.latency_seconds, 1) }}</td>
<td class="number">{{ number(row.percent, 2) }}</td>
<td>{{ "yes" if row.reviewed else "no" }}</td></tr>
{% endfor %}</table>
<p>Seconds count from the first frame of a video. – where there is nothing to measure. The same
numbers, and every bout, are in summary.csv and bouts.csv beside this page.</p>
{% if warnings %}<h2>Please note</h2><ul>
{% for text in warnings %}<li>{{ text }}</li>
{% endfor %}</ul>{% endif %}
<h2>How it was made</h2>
<table>{% for name, value in facts.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</table>
"""


@dataclass(frozen=True)
class ActionTotal:
    """One action over several videos; a value that does not exist is None.

    Args:
        action: its name.
        count: number of bouts.
        total_seconds: time with the action.
        mean_seconds: mean length of a bout.
        per_hour: bouts in an hour of video.
        percent: share of the time with the action, 0 to 100.
        videos: how many have at least one bout.
    """

    action: str
    count: int
    total_seconds: float
    mean_seconds: float | None
    per_hour: float | None
    percent: float | None
    videos: int


def action_totals(results: Iterable[VideoResult], *, actions: ActionSet) -> list[ActionTotal]:
    """Sums over videos, in the order of the actions."""
    results = list(results)
    hours = sum(float(result.edges_seconds[-1]) for result in results) / 3600
    totals = []
    for name in actions.names:
        lengths = [_lengths(result, name) for result in results]
        bouts = [length for of_video in lengths for length in of_video]
        total = sum(
            row.total_seconds
            for result in results
            for row in _summary(result, actions)
            if row.action == name
        )
        totals.append(
            ActionTotal(
                action=name,
                count=len(bouts),
                total_seconds=total,
                mean_seconds=sum(bouts) / len(bouts) if bouts else None,
                per_hour=len(bouts) / hours if hours else None,
                percent=total / hours / 36 if hours else None,
                videos=sum(bool(of_video) for of_video in lengths),
            )
        )
    return totals


def inference_page(
    path: Path,
    results: Sequence[VideoResult],
    *,
    actions: ActionSet,
    title: str,
    failures: Mapping[str, str],
    warnings: Sequence[str],
    picture: Path,
    facts: Mapping[str, object],
) -> None:
    """Write one HTML file that needs nothing beside it.

    Args:
        path: the file.
        results: of all videos of the project.
        actions: what was looked for.
        title: heading.
        failures: cause by video.
        warnings: what the reader should know.
        picture: ethograms as PNG; left out where there is none.
        facts: how the results were made.
    """
    rows = [
        {
            "video": result.key,
            "of": row,
            "percent": None if row.time_budget is None else 100 * row.time_budget,
            "reviewed": result.reviewed,
        }
        for result in results
        for row in _summary(result, actions)
    ]
    reviewed = sum(result.reviewed for result in results)
    hours = sum(float(result.edges_seconds[-1]) for result in results) / 3600
    page = render_page(
        _PAGE,
        title=title,
        summary=f"{len(results)} videos, {hours:.2f} hours; {reviewed} checked by a person, "
        f"{len(failures)} failed.",
        failures=failures,
        totals=action_totals(results, actions=actions),
        rows=rows,
        picture=inlined_png(picture) if picture.is_file() else "",
        warnings=warnings,
        facts=facts,
        number=_number,
    )
    write_text(path, page)


def _summary(result: VideoResult, actions: ActionSet) -> list[ActionSummary]:
    return summarise(result.ethogram, actions=actions, timestamps=result.timestamps_seconds)


def _lengths(result: VideoResult, action: str) -> list[float]:
    edges = result.edges_seconds
    intervals = [bout.interval for bout in result.ethogram.of(action)]
    return [float(edges[i.stop] - edges[i.start]) for i in intervals]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
