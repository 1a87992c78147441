"""Counts and durations of each video against the person who labelled it."""

from __future__ import annotations

from typing import Any

from mouse_ar.core.actions import Action
from mouse_ar.core.agreement import Agreement
from mouse_ar.core.details import ActionDetails
from mouse_ar.report.page.blocks import Figure
from mouse_ar.report.page.plots import GREY, INK, axis, css, layout, numbers, panel_titles

__all__ = ["agreement_figure"]

_CAPTION = (
    "Left: one point per video; on the grey line both agree. Right (Bland-Altman): the difference "
    "over the mean of both; solid line: mean difference, dashed: 95 % limits of agreement."
)


def agreement_figure(details: ActionDetails, *, action: Action, who: str = "model") -> Figure:
    """Predicted over true values, and Bland-Altman, of the count and of the duration.

    Args:
        details: of the action.
        action: gives name and colour.
        who: is compared with the person who labelled.
    """
    data: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    quantities = (("bouts", details.count, 0), ("seconds", details.duration, 2))
    for row, (unit, agreement, digits) in enumerate(quantities):
        left, right = str(2 * row + 1) if row else "", str(2 * row + 2)
        data += [
            _dots(agreement, agreement.true, agreement.predicted, action, left, digits),
            _dots(agreement, _means(agreement), agreement.errors.tolist(), action, right, digits),
        ]
        shapes += _lines(agreement, left=left, right=right)
        domain = [0.58, 1] if row == 0 else [0, 0.42]
        axes[f"xaxis{left}"] = axis(f"{unit}, person", domain=[0, 0.44], anchor=f"y{left}")
        axes[f"yaxis{left}"] = axis(f"{unit}, {who}", domain=domain, anchor=f"x{left}")
        axes[f"xaxis{right}"] = axis(f"mean of both, {unit}", domain=[0.56, 1], anchor=f"y{right}")
        axes[f"yaxis{right}"] = axis(
            "difference", domain=domain, anchor=f"x{right}", range=_reach(agreement)
        )
    titles = panel_titles(
        {
            "": "Bouts per video",
            "2": f"Bouts: {who} minus person",
            "3": "Seconds per video",
            "4": f"Seconds: {who} minus person",
        }
    )
    plot = layout(560, **axes, shapes=shapes, annotations=titles)
    return Figure({"data": data, "layout": plot}, title=action.name, caption=_CAPTION)


def _reach(agreement: Agreement) -> list[float]:
    """Differences, zero and the lines, with some room."""
    values = [0.0, *agreement.errors.tolist(), *(agreement.limits_of_agreement or ())]
    room = 0.1 * (max(values) - min(values)) or 1.0
    return [round(min(values) - room, 4), round(max(values) + room, 4)]


def _means(agreement: Agreement) -> list[float]:
    return [(t + p) / 2 for t, p in zip(agreement.true, agreement.predicted, strict=True)]


def _dots(
    agreement: Agreement,
    x: Any,
    y: Any,
    action: Action,
    panel: str,
    digits: int,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(list(x), digits=3),
        "y": numbers(list(y), digits=3),
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "marker": {"color": css(action), "size": 9, "line": {"color": "white", "width": 1}},
        "hovertext": list(agreement.videos),
        "hovertemplate": f"%{{hovertext}}<br>%{{x:.{digits}f}}, %{{y:.{digits}f}}<extra></extra>",
    }


def _lines(agreement: Agreement, *, left: str, right: str) -> list[dict[str, Any]]:
    top = max((*agreement.true, *agreement.predicted, 1.0))
    same = {
        "type": "line",
        "xref": f"x{left}",
        "yref": f"y{left}",
        "x0": 0,
        "y0": 0,
        "x1": top,
        "y1": top,
        "line": {"color": GREY, "width": 1},
        "layer": "below",
    }
    levels = [(agreement.mean_error, "solid")]
    levels += [(limit, "dash") for limit in agreement.limits_of_agreement or ()]
    return [same] + [
        {
            "type": "line",
            "xref": f"x{right} domain",
            "yref": f"y{right}",
            "x0": 0,
            "x1": 1,
            "y0": round(level, 4),
            "y1": round(level, 4),
            "line": {"color": INK, "width": 1, "dash": dash},
        }
        for level, dash in levels
        if level is not None
    ]
