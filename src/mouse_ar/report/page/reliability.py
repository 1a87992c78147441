"""Does a score of 0.8 mean that the action is there in 80 of 100 such frames?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.calibration import Reliability, reliability
from mouse_ar.core.metrics import VideoPair, ignored_mask
from mouse_ar.core.platt import Calibration, Platt
from mouse_ar.core.types import ActionScores
from mouse_ar.report.page.blocks import Figure
from mouse_ar.report.page.plots import GREY, axis, css, layout, numbers, panel_titles

__all__ = ["reliability_figure"]

_GAP = 0.09  # between panels, as a share of the width
_CAPTION = (
    "On the grey line scores are probabilities; below it the model is too sure, above it not sure "
    "enough. Points are tenths of the score, larger where there are more frames. "
    "Error: mean distance from the line, weighted by frames. Grey, dashed: the scores before "
    "calibration, where the model has one."
)


def reliability_figure(
    pairs: Mapping[str, VideoPair],
    *,
    actions: ActionSet,
    scores: Mapping[str, ActionScores],
    calibration: Calibration | None = None,
) -> Figure | None:
    """A panel per action; None where no video has scores.

    Args:
        pairs: prediction and truth by video.
        actions: gives order and colours.
        scores: per-frame scores by video.
        calibration: what makes probabilities of them; scores are drawn beside what it changes.
    """
    if not any(name in scores for name in pairs):
        return None
    data: list[dict[str, Any]] = []
    titles: dict[str, str] = {}
    axes: dict[str, Any] = {}
    width = (1 - _GAP * (len(actions.actions) - 1)) / len(actions.actions)
    for number, action in enumerate(actions.actions):
        panel = str(number + 1) if number else ""
        left = number * (width + _GAP)
        share = {"range": [-0.03, 1.03], "dtick": 0.2}
        axes[f"xaxis{panel}"] = axis(
            "score", domain=[left, left + width], anchor=f"y{panel}", **share
        )
        axes[f"yaxis{panel}"] = axis("share of true frames", anchor=f"x{panel}", **share)
        platt = (calibration or Calibration()).of(action.name)
        before = found = _of(pairs, scores, action)
        if not platt.is_identity:
            found = _of(pairs, scores, action, platt=platt)
        data += [_diagonal(panel), _curve(found, color=css(action), panel=panel)]
        titles[panel] = f"{action.name}: error {_error(found)}"
        if found is not before:
            data.append(_curve(before, color=GREY, panel=panel, dash="dash"))
            titles[panel] += f", before calibration {_error(before)}"
    plot = layout(370, **axes, annotations=panel_titles(titles))
    return Figure({"data": data, "layout": plot}, title="Scores as probabilities", caption=_CAPTION)


def _of(
    pairs: Mapping[str, VideoPair],
    scores: Mapping[str, ActionScores],
    action: Action,
    *,
    platt: Platt | None = None,
) -> Reliability:
    """Over the scored frames of all videos with scores."""
    score, truth = [], []
    for name, pair in pairs.items():
        if name in scores:
            scored_T = ~ignored_mask(pair.ignored, num_frames=pair.truth.num_frames)
            score.append(scores[name].of(action.name)[scored_T])
            truth.append(pair.truth.mask(action.name)[scored_T])
    score_T = np.concatenate(score)
    return reliability(platt(score_T) if platt else score_T, np.concatenate(truth))


def _error(found: Reliability) -> str:
    return "–" if found.expected_error is None else f"{found.expected_error:.3f}"


def _curve(found: Reliability, *, color: str, panel: str, dash: str = "solid") -> dict[str, Any]:
    shares = found.frames / max(1, found.frames.max(initial=0))
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": numbers(found.mean_score, digits=4),
        "y": numbers(found.share_true, digits=4),
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "line": {"color": color, "width": 2, "dash": dash},
        "marker": {"size": numbers(5 + 9 * np.sqrt(shares), digits=1)},
        "customdata": found.frames.tolist(),
        "hovertemplate": "score %{x:.2f}: %{y:.1%} true<br>%{customdata:,} frames<extra></extra>",
    }


def _diagonal(panel: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "line": {"color": GREY, "width": 1},
        "hoverinfo": "skip",
    }
