"""Plots of the frame and bout figures: confusion, PR and ROC, F1 over overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.details import EvaluationDetails
from mouse_ar.core.frame_curves import Confusion, FrameCurves, OperatingPoint
from mouse_ar.report.page.blocks import Figure
from mouse_ar.report.page.plots import GREY, axis, css, layout, numbers, panel_titles

__all__ = ["confusion_figure", "overlap_figure", "ranking_figure"]

_SQUARE_PX = 70


def confusion_figure(confusion: Confusion) -> Figure:
    """Frames by true class (rows) and predicted class, shaded by the share of their row."""
    frames = confusion.frames_KK
    totals = frames.sum(axis=1, keepdims=True)
    shares = (frames / totals.clip(min=1)).round(4)
    text = [
        [f"{share:.1%}<br>{int(n):,}" for share, n in zip(shares_K, frames_K, strict=True)]
        for shares_K, frames_K in zip(shares.tolist(), frames.tolist(), strict=True)
    ]
    classes = list(confusion.classes)
    data = {
        "type": "heatmap",
        "x": classes,
        "y": classes,
        "z": shares.tolist(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "#ffffff"], [1, "#3b6fb6"]],
        "showscale": False,
        "text": text,
        "texttemplate": "%{text}",
        "hovertemplate": "true: %{y}<br>predicted: %{x}<br>%{text}<extra></extra>",
        "xgap": 2,
        "ygap": 2,
    }
    plot = layout(
        96 + _SQUARE_PX * len(classes),
        xaxis=axis("predicted", showgrid=False, fixedrange=True, domain=[0, 0.65]),
        yaxis=axis("true", showgrid=False, fixedrange=True, autorange="reversed"),
    )
    return Figure(
        {"data": [data], "layout": plot},
        title="Frames by true and predicted class",
        caption="Each row adds up to 100 %: how the frames of a true class were called. Where two "
        "actions overlap, the shorter kind (point events) counts.",
    )


def ranking_figure(details: EvaluationDetails, *, actions: ActionSet) -> Figure | None:
    """Precision-recall and ROC curves of the per-frame scores; None without scores."""
    data: list[dict[str, Any]] = []
    for action in actions.actions:
        curves = details.actions[action.name].curves
        if curves is not None:
            data += _precision_recall(curves, action) + _roc(curves, action)
    if not data:
        return None
    five = {
        "type": "line",
        "xref": "x2",
        "yref": "y2",
        "x0": 0.05,
        "x1": 0.05,
        "y0": 0,
        "y1": 1,
        "line": {"color": GREY, "width": 1, "dash": "dot"},
    }
    share = {"range": [-0.02, 1.03], "dtick": 0.2}
    plot = layout(
        400,
        legends=True,
        xaxis=axis("recall: share of the true frames found", domain=[0, 0.46], **share),
        yaxis=axis("precision: share of the called frames that are true", **share),
        xaxis2=axis("share of the other frames called", domain=[0.56, 1], anchor="y2", **share),
        yaxis2=axis("share of the true frames found", anchor="x2", **share),
        annotations=panel_titles({"": "Precision and recall", "2": "ROC"}),
        shapes=[five],
    )
    return Figure(
        {"data": data, "layout": plot},
        title="Frames: what other thresholds would give",
        caption="Filled circle: the bouts as reported (operating point); smoothing and joining "
        "may take it off the curve. Open circle: cutting the score at the threshold alone. "
        "Diamond and dotted line: 5 % false frames.",
    )


def _precision_recall(curves: FrameCurves, action: Action) -> list[dict[str, Any]]:
    values = {"average precision": curves.average_precision, "ROC area": curves.roc_auc}
    found = ", ".join(f"{name} {value:.3f}" for name, value in values.items() if value is not None)
    name = f"{action.name}: {found}" if found else action.name
    line = _line(
        [0.0, *numbers(curves.recall, digits=5)],
        [*numbers(curves.precision[:1], digits=5), *numbers(curves.precision, digits=5)],
        action=action,
        name=name,
    )
    line["line"]["shape"] = "vh"  # average precision is the area under these steps
    points = [
        _mark(point.recall, point.precision, action=action, symbol=symbol, text=text)
        for point, symbol, text in _points(curves)
    ]
    return [line, *points]


def _roc(curves: FrameCurves, action: Action) -> list[dict[str, Any]]:
    line = _line(
        [0.0, *numbers(curves.fpr, digits=5)],
        [0.0, *numbers(curves.recall, digits=5)],
        action=action,
        name=action.name,
        panel="2",
    )
    line["showlegend"] = False
    found = curves.tpr_at_5_percent_fpr
    points = [
        _mark(point.fpr, point.recall, action=action, symbol=symbol, text=text, panel="2")
        for point, symbol, text in _points(curves)
    ]
    if found is not None:
        text = f"{found:.1%} found at 5 % false frames"
        points.append(_mark(0.05, found, action=action, symbol="diamond", text=text, panel="2"))
    return [line, *points]


def _points(curves: FrameCurves) -> list[tuple[OperatingPoint, str, str]]:
    found = []
    if curves.operating is not None:
        text = f"score of at least {curves.operating.threshold:.2f}"
        found.append((curves.operating, "circle-open", text))
    if curves.decoded is not None:
        found.append((curves.decoded, "circle", "bouts as reported"))
    return found


def _line(
    x: list[float | None], y: list[float | None], *, action: Action, name: str, panel: str = ""
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "name": name,
        "line": {"color": css(action), "width": 2},
        "hovertemplate": "%{x:.3f}, %{y:.3f}<extra></extra>",
    }


def _mark(
    x: float | None, y: float | None, *, action: Action, symbol: str, text: str, panel: str = ""
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers([x], digits=5),
        "y": numbers([y], digits=5),
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "marker": {"color": css(action), "size": 11, "symbol": symbol, "line": {"width": 2}},
        "hovertemplate": f"{action.name}: {text}<br>%{{x:.3f}}, %{{y:.3f}}<extra></extra>",
        "showlegend": False,
    }


def overlap_figure(judged: Mapping[str, EvaluationDetails], *, actions: ActionSet) -> Figure:
    """Bout F1 over the overlap that a match needs.

    Args:
        judged: details by who is judged; the first is drawn solid, others dashed.
        actions: gives order and colours.
    """
    data = []
    for number, (who, details) in enumerate(judged.items()):
        for action in actions.actions:
            bouts = details.actions[action.name].bouts
            name = action.name if len(judged) == 1 else f"{action.name}, {who}"
            line = _line(
                list(bouts.ious),
                numbers([counts.f1 for counts in bouts.counts], digits=4),
                action=action,
                name=name,
            )
            line["mode"] = "lines+markers"
            line["line"]["dash"] = "dash" if number else "solid"
            line["hovertemplate"] = f"{name}<br>overlap %{{x}}: F1 %{{y:.3f}}<extra></extra>"
            data.append(line)
    plot = layout(
        330,
        legends=True,
        xaxis=axis("overlap (IoU) from which a predicted bout counts as found", dtick=0.1),
        yaxis=axis("bout F1", range=[-0.02, 1.03], dtick=0.2),
    )
    plot["margin"] |= {"t": 40}
    return Figure(
        {"data": data, "layout": plot},
        title="Bouts: how exactly must they overlap?",
        caption="Overlap (IoU) is the time two bouts share, divided by the time they cover "
        "together. On events of a few frames high overlaps measure how people set the edges.",
    )
