"""What our Plotly figures share. They are plain JSON values, so that any renderer takes them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action

__all__ = ["GREY", "INK", "axis", "css", "layout", "numbers", "panel_titles", "thinned"]

INK, GREY = "#222222", "#9a9a9a"
_GRID = "#e8e8e8"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def css(action: Action, *, shade: float = 1.0) -> str:
    """The action's colour; a ``shade`` below 1 is darker."""
    return "rgb({}, {}, {})".format(*(round(c * shade) for c in action.color))


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with our look; ``more`` are Plotly's settings."""
    return {
        "title": {"text": title, "font": {"size": 12}, "standoff": 8},
        "gridcolor": _GRID,
        "zerolinecolor": _GRID,
        "linecolor": "#c4c4c4",
        "tickfont": {"size": 11},
        "automargin": True,
        **more,
    }


def layout(height: int, *, legends: bool = False, **more: Any) -> dict[str, Any]:
    """A layout with our look.

    Args:
        height: in pixels; the width follows the page.
        legends: whether there is room for a legend above the panels and their titles.
        more: Plotly's settings, axes among them.
    """
    return {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 64 if legends else 26, "b": 48},
        "font": {"family": _FONT, "size": 12, "color": INK},
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "hoverlabel": {"align": "left"},
        "showlegend": legends,
        "legend": {
            "orientation": "h",
            "x": 0,
            "yref": "container",
            "y": 0.99,
            "yanchor": "top",
            "font": {"size": 11},
        },
        **more,
    }


def numbers(
    values: Sequence[float | None] | NDArray[np.floating], *, digits: int
) -> list[float | None]:
    """Rounded values for a plot; what does not exist (None, NaN) is a gap."""
    return [
        None if value is None or np.isnan(value) else round(float(value), digits)
        for value in values
    ]


def panel_titles(titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Headings of panels as annotations, by the number of their axes ("" is the first)."""
    return [
        {
            "text": f"<b>{text}</b>",
            "xref": f"x{number} domain",
            "yref": f"y{number} domain",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "xanchor": "left",
            "showarrow": False,
            "font": {"size": 12},
        }
        for number, text in titles.items()
    ]


def thinned(values_T: NDArray[np.floating], *, most: int) -> NDArray[np.int64]:
    """Indices of at most ``most`` values that keep every peak and valley one could see.

    The curve is cut into equal pieces; of each the lowest and the highest value are kept, and the
    first and last of all.

    Args:
        values_T: float (T,).
        most: at least 4.
    """
    total = len(values_T)
    if total <= most:
        return np.arange(total, dtype=np.int64)
    edges = np.linspace(0, total, (most - 2) // 2 + 1).astype(np.int64)
    kept = {0, total - 1}
    for start, stop in itertools.pairwise(edges.tolist()):
        piece = values_T[start:stop]
        kept |= {start + int(piece.argmin()), start + int(piece.argmax())}
    return np.array(sorted(kept), dtype=np.int64)
