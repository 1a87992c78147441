"""Does a score of 0.8 mean that the action is there in 80 of 100 such frames?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.calibration import Reliability, reliability
from mouse_ar.core.metrics import VideoPair, ignored_mask
from mouse_ar.core.types import ActionScores
from mouse_ar.report.page.blocks import Figure
from mouse_ar.report.page.plots import GREY, axis, css, layout, numbers, panel_titles

__all__ = ["reliability_figure"]

_GAP = 0.09  # between panels, as a share of the width
_CAPTION = (
    "On the grey line scores are probabilities; below it the model is too sure, above it not sure "
    "enough. Points are tenths of the score, larger where there are more frames. "
    "Error: mean distance from the line, weighted by frames."
)


def reliability_figure(
    pairs: Mapping[str, VideoPair],
    *,
    actions: ActionSet,
    scores: Mapping[str, ActionScores],
    uncalibrated: Mapping[str, ActionScores] | None = None,
) -> Figure | None:
    """A panel per action; None where no video has scores.

    Args:
        pairs: prediction and truth by video.
        actions: gives order and colours.
        scores: per-frame probabilities by video.
        uncalibrated: scores before calibration, drawn beside, where there was one.
    """
    if not any(name in scores for name in pairs):
        return None
    data: list[dict[str, Any]] = []
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
        data.append(_diagonal(panel))
        if uncalibrated is not None:
            before = _of(pairs, uncalibrated, action)
            data.append(_curve(before, action, panel=panel, name="before calibration"))
        name = "scores" if uncalibrated is None else "after calibration"
        data.append(_curve(_of(pairs, scores, action), action, panel=panel, name=name))
    titles = {str(n + 1) if n else "": action.name for n, action in enumerate(actions.actions)}
    plot = layout(390, legends=True, **axes, annotations=panel_titles(titles))
    return Figure({"data": data, "layout": plot}, title="Scores as probabilities", caption=_CAPTION)


def _of(
    pairs: Mapping[str, VideoPair], scores: Mapping[str, ActionScores], action: Action
) -> Reliability:
    """Over the scored frames of all videos with scores."""
    score, truth = [], []
    for name, pair in pairs.items():
        if name in scores:
            scored_T = ~ignored_mask(pair.ignored, num_frames=pair.truth.num_frames)
            score.append(scores[name].of(action.name)[scored_T])
            truth.append(pair.truth.mask(action.name)[scored_T])
    return reliability(np.concatenate(score), np.concatenate(truth))


def _curve(found: Reliability, action: Action, *, panel: str, name: str) -> dict[str, Any]:
    is_before = name == "before calibration"
    error = found.expected_error
    label = f"{action.name}, {name}"
    shares = found.frames / max(1, found.frames.max(initial=0))
    color = GREY if is_before else css(action)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": numbers(found.mean_score, digits=4),
        "y": numbers(found.share_true, digits=4),
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "name": label if error is None else f"{label} (error {error:.3f})",
        "line": {"color": color, "width": 2, "dash": "dash" if is_before else "solid"},
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
        "showlegend": False,
    }
