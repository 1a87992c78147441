"""How the training went: loss and validation score over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mouse_ar.report.page.blocks import Figure, Section
from mouse_ar.report.page.plots import INK, axis, layout, panel_titles

__all__ = ["training_section"]

_CURVES = (
    ("epoch", "loss", "Training loss", "loss", [0.0, 0.45]),
    ("validation", "score", "Validation: bout F1, mean over the actions", "bout F1", [0.55, 1.0]),
)
_CAPTION = (
    "The loss should fall and level off. The checkpoint with the best validation score is the one "
    "that this report is about."
)


def training_section(events: Sequence[Mapping[str, Any]]) -> Section:
    """Curves of a run.

    Args:
        events: of the run; see :func:`~mouse_ar.training.run_folder.read_events`.
    """
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    titles: dict[str, str] = {}
    for number, (kind, value, title, label, domain) in enumerate(_CURVES):
        panel = str(number + 1) if number else ""
        points = [(e["epoch"] + 1, round(e[value], 4)) for e in events if e["event"] == kind]
        axes[f"xaxis{panel}"] = axis("epoch", domain=domain, anchor=f"y{panel}")
        axes[f"yaxis{panel}"] = axis(label, anchor=f"x{panel}")
        titles[panel] = title
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [x for x, _ in points],
                "y": [y for _, y in points],
                "xaxis": f"x{panel}",
                "yaxis": f"y{panel}",
                "line": {"color": INK, "width": 1.5},
                "marker": {"size": 5},
            }
        )
    plot = layout(300, **axes, annotations=panel_titles(titles))
    return Section("The training", (Figure({"data": data, "layout": plot}, caption=_CAPTION),))
