"""Strips of true and predicted bouts over the scores, one plot per video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.bout_errors import BoutError, ErrorKind
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval
from mouse_ar.report.page.blocks import Figure
from mouse_ar.report.page.plots import GREY, INK, axis, css, layout, numbers, thinned

__all__ = ["VideoStrip", "strip_figure", "strip_figures"]

_OPEN = 3  # videos shown at first
_ALL_POINTS, _MOST_POINTS, _FEWEST_POINTS = 160_000, 6_000, 400  # of score curves: 10 bytes each
_LONG_SECONDS = 600.0  # from here on the axis is in minutes
_ROW_PX, _SCORE_PX, _AROUND_PX = 26, 110, 60
_APART = 0.35  # rows between two actions


@dataclass(frozen=True, eq=False)
class VideoStrip:
    """Everything known about the bouts of one video.

    Args:
        name: of the video.
        rows: ethograms by what they are called, from top to bottom, e.g. true and predicted.
        errors: bouts to mark as wrong; those missed are marked in the first row.
        predicted_row: where the false ones are marked.
        scores: per-frame probabilities, if there are any.
        timestamps_seconds: times of the frames, float64 (T,); without them frames / fps.
        thresholds: score that an event must reach, by action.
        ignored: frames that are not scored.
    """

    name: str
    rows: Mapping[str, Ethogram]
    errors: Sequence[BoutError] = ()
    predicted_row: str = "predicted"
    scores: ActionScores | None = None
    timestamps_seconds: NDArray[np.float64] | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    ignored: Sequence[Interval] = ()


@dataclass(frozen=True, eq=False)
class _Clock:
    """Frames to the unit of the axis."""

    edges: NDArray[np.float64]  # seconds at the start of every frame, and the end of the last
    unit_seconds: float

    @classmethod
    def of(cls, video: VideoStrip) -> _Clock:
        some = next(iter(video.rows.values()))
        starts = video.timestamps_seconds
        if starts is None or not len(starts):
            starts = np.arange(some.num_frames) / some.fps
        edges = np.append(starts, (starts[-1] if len(starts) else 0.0) + 1 / some.fps)
        return cls(edges, 60.0 if edges[-1] >= _LONG_SECONDS else 1.0)

    def at(self, frame: int) -> float:
        return round(float(self.edges[frame]) / self.unit_seconds, 4)

    @property
    def label(self) -> str:
        return "minutes" if self.unit_seconds > 1 else "seconds"


def strip_figures(videos: Sequence[VideoStrip], *, actions: ActionSet) -> list[Figure]:
    """A plot per video; all but the first few are folded."""
    share = _ALL_POINTS // max(1, len(videos) * len(actions.actions))
    most = min(_MOST_POINTS, max(_FEWEST_POINTS, share))
    return [
        strip_figure(video, actions=actions, most_points=most, folded=number >= _OPEN)
        for number, video in enumerate(videos)
    ]


def strip_figure(
    video: VideoStrip, *, actions: ActionSet, most_points: int = _MOST_POINTS, folded: bool = False
) -> Figure:
    """Bouts as bars, action by action; below them the scores.

    Args:
        video: what to draw.
        actions: gives order and colours.
        most_points: of each score curve; peaks and valleys stay.
        folded: whether only the name is shown at first.
    """
    clock = _Clock.of(video)
    rows = {
        (action, name): round(number * (len(video.rows) + _APART) + row, 2)
        for number, action in enumerate(actions.actions)
        for row, name in enumerate(video.rows)
    }
    data = [_bars(video, *of, clock=clock, at=at) for of, at in rows.items()]
    data.append(_marks(video, rows, clock=clock))
    if video.scores is not None:
        for action in actions.actions:
            data += _score_lines(video, action, clock=clock, most=most_points)
    bars_px = round(_ROW_PX * (max(rows.values()) + 1))
    scores_px = 0 if video.scores is None else _SCORE_PX
    last = len(clock.edges) - 1
    plot = layout(
        bars_px + scores_px + _AROUND_PX,
        **_axes(rows, clock=clock, score_share=scores_px / (bars_px + scores_px)),
        barmode="overlay",
        shapes=[_grey(clock.at(i.start), clock.at(min(i.stop, last))) for i in video.ignored],
        dragmode="zoom",
    )
    plot["margin"] |= {"t": 12}
    return Figure({"data": data, "layout": plot}, title=video.name, folded=folded)


def _axes(
    rows: Mapping[tuple[Action, str], float], *, clock: _Clock, score_share: float
) -> dict[str, Any]:
    """Bars above, scores (if any) in the lower share of the height, one time axis for both."""
    axes = {
        "xaxis": axis(clock.label, range=[0, clock.at(-1)], anchor="y2" if score_share else "y"),
        "yaxis": axis(
            domain=[score_share + (0.04 if score_share else 0), 1],
            range=[max(rows.values()) + 0.5, -0.5],
            tickvals=list(rows.values()),
            ticktext=[f"{action.name} · {name}" for action, name in rows],
            showgrid=False,
            fixedrange=True,
        ),
    }
    if score_share:
        shown = {"range": [-0.03, 1.03], "tickvals": [0, 0.5, 1], "fixedrange": True}
        axes["yaxis2"] = axis("score", domain=[0, score_share], **shown)
    return axes


def _bars(
    video: VideoStrip, action: Action, row: str, *, clock: _Clock, at: float
) -> dict[str, Any]:
    bouts = video.rows[row].of(action.name)
    starts = [clock.at(b.interval.start) for b in bouts]
    is_prediction = row == video.predicted_row
    color = css(action, shade=1.0 if is_prediction else 0.6)
    return {
        "type": "bar",
        "orientation": "h",
        "base": starts,
        "x": [round(clock.at(b.interval.stop) - s, 4) for b, s in zip(bouts, starts, strict=True)],
        "y": [at] * len(bouts),
        "width": 0.8,
        "name": row,
        # the edge keeps a twitch visible in a long video
        "marker": {"color": color, "line": {"color": color, "width": 1}},
        "hovertext": [_told(b, clock=clock, confidence=is_prediction) for b in bouts],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _told(bout: Bout, *, clock: _Clock, confidence: bool) -> str:
    first, last = bout.interval.inclusive
    seconds = [clock.edges[bout.interval.start], clock.edges[bout.interval.stop]]
    text = f"frames {first}–{last}<br>{seconds[0]:.2f}–{seconds[1]:.2f} s"
    return f"{text}<br>confidence {bout.confidence:.2f}" if confidence else text


def _marks(
    video: VideoStrip, rows: Mapping[tuple[Action, str], float], *, clock: _Clock
) -> dict[str, Any]:
    """A cross on each bout that found no partner."""
    truth = next(iter(video.rows))
    places = {(action.name, name): at for (action, name), at in rows.items()}
    xs, ys, texts = [], [], []
    for error in video.errors:
        row = video.predicted_row if error.kind is ErrorKind.FALSE else truth
        bout = error.bout
        xs.append(round((clock.at(bout.interval.start) + clock.at(bout.interval.stop)) / 2, 4))
        ys.append(places[bout.action, row])
        confidence = error.kind is ErrorKind.FALSE
        texts.append(f"{error.kind}<br>{_told(bout, clock=clock, confidence=confidence)}")
    return {
        "type": "scatter",
        "mode": "markers",
        "x": xs,
        "y": ys,
        "marker": {"symbol": "x", "size": 8, "color": INK, "line": {"color": "white", "width": 1}},
        "cliponaxis": False,
        "hovertext": texts,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _score_lines(
    video: VideoStrip, action: Action, *, clock: _Clock, most: int
) -> list[dict[str, Any]]:
    assert video.scores is not None
    score_T = video.scores.of(action.name)
    kept = thinned(score_T, most=most)
    lines: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [clock.at(int(frame)) for frame in kept],
            "y": numbers(score_T[kept], digits=3),
            "yaxis": "y2",
            "name": action.name,
            "line": {"color": css(action), "width": 1.2},
            "hovertemplate": f"{action.name} %{{y:.2f}}<extra></extra>",
            "showlegend": False,
        }
    ]
    if action.name in video.thresholds:
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [0, clock.at(-1)],
                "y": [video.thresholds[action.name]] * 2,
                "yaxis": "y2",
                "line": {"color": css(action), "width": 1, "dash": "dot"},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    return lines


def _grey(start: float, stop: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": start,
        "x1": stop,
        "y0": 0,
        "y1": 1,
        "fillcolor": GREY,
        "opacity": 0.2,
        "line": {"width": 0},
        "layer": "below",
    }
