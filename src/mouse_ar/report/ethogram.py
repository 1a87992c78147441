"""Picture of predicted against true bouts, one strip per video."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import matplotlib.figure
import numpy as np

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.types import ActionScores, Ethogram

__all__ = ["plot_ethograms"]

_ROW_INCHES = 0.28
# A twitch of three frames would be invisible on a strip of a minute.
_LEAST_WIDTH = 0.004
# Taller pictures neither open well nor fit the renderer (2**16 pixels).
_MOST_VIDEOS = 40


def plot_ethograms(
    path: Path,
    *,
    predicted: Mapping[str, Ethogram],
    actions: ActionSet,
    truth: Mapping[str, Ethogram] | None = None,
    scores: Mapping[str, ActionScores] | None = None,
    title: str = "",
) -> None:
    """Draw one strip per video: true bouts above predicted ones, scores as a line.

    Args:
        path: image file (PNG, SVG, PDF).
        predicted: ethograms by video; the first 40 are drawn.
        actions: gives order and colours.
        truth: labels by video, where known.
        scores: per-frame probabilities by video, where they are to be drawn.
        title: of the figure.
    """
    shown = dict(itertools.islice(predicted.items(), _MOST_VIDEOS))
    if len(shown) < len(predicted):
        title = f"{title} (first {len(shown)} of {len(predicted)} videos)".strip()
    rows = len(actions.names) * (2 if truth else 1)
    height = max(2.0, len(shown) * (rows * _ROW_INCHES + 0.55) + 0.9)
    figure = matplotlib.figure.Figure(figsize=(11, height), layout="constrained")
    axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axis, (name, ethogram) in zip(axes, shown.items(), strict=True):
        _strip(
            axis,
            ethogram,
            actions=actions,
            truth=None if truth is None else truth[name],
            scores=None if scores is None else scores.get(name),
        )
        axis.set_title(name, fontsize=9, loc="left", color="#444444")
    axes[-1].set_xlabel("seconds")
    if title:
        figure.suptitle(title, fontsize=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _strip(
    axis: matplotlib.axes.Axes,
    ethogram: Ethogram,
    *,
    actions: ActionSet,
    truth: Ethogram | None,
    scores: ActionScores | None,
) -> None:
    seconds = ethogram.num_frames / ethogram.fps
    labels: list[str] = []
    for action in actions.actions:
        color = tuple(c / 255 for c in action.color)
        for source, kind in ((truth, "true"), (ethogram, "predicted")):
            if source is None:
                continue
            row = len(labels)
            labels.append(f"{action.name} · {kind}")
            least = _LEAST_WIDTH * seconds if action.kind is ActionKind.POINT else 0.0
            spans = [
                (b.interval.start / source.fps, max(least, b.interval.length / source.fps))
                for b in source.of(action.name)
            ]
            face = color if kind == "predicted" else tuple(0.55 * c for c in color)
            axis.broken_barh(spans, (row + 0.12, 0.76), facecolors=face, linewidth=0)
        if scores is not None:
            score_T = scores.of(action.name)
            times = np.arange(len(score_T)) / scores.fps
            axis.plot(times, len(labels) - 0.12 - 0.76 * score_T, color="#222222", linewidth=0.6)
    axis.set_xlim(0, seconds)
    axis.set_ylim(len(labels), 0)
    axis.set_yticks(np.arange(len(labels)) + 0.5, labels, fontsize=7)
    axis.tick_params(axis="x", labelsize=7)
    for row in range(1, len(labels)):
        axis.axhline(row, color="#e5e5e5", linewidth=0.6, zorder=0)
