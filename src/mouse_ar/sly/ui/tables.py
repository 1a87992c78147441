"""Tables and charts from plain rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supervisely.app.widgets import FastTable
from supervisely.app.widgets.apexchart.apexchart import Apexchart

from mouse_ar.sly.ui.widgets import push_data, set_hidden

__all__ = ["BarChart", "LineChart", "RowsTable"]

Cell = str | int | float | None


class RowsTable:
    """A table that is filled anew from rows; sorting and search are the widget's own.

    It is hidden while it has no rows, as the SDK would show "Nothing is found".

    Args:
        widget_id: fixed id.
        columns: headings, units included: "Duration (s)".
        page_size: rows on a page.
        digits: decimals of numbers that are not whole.
    """

    def __init__(
        self, widget_id: str, columns: Sequence[str], *, page_size: int = 10, digits: int = 2
    ) -> None:
        self._columns, self._digits = list(columns), digits
        self.layout = FastTable(
            data=[], columns=self._columns, page_size=page_size, width="100%", widget_id=widget_id
        )
        set_hidden(self.layout, True)

    def show(self, rows: Sequence[Sequence[Cell]], *, columns: Sequence[str] | None = None) -> None:
        """Replace all rows; None shows as an empty cell.

        Args:
            rows: cells in the order of the headings.
            columns: other headings than before, such as the actions of a lab.
        """
        if columns is not None:
            self._columns = list(columns)
        for row in rows:
            if len(row) != len(self._columns):
                raise ValueError(f"Expected the cells {self._columns}, got {list(row)}.")
        data = [[self._cell(value) for value in row] for row in rows]
        set_hidden(self.layout, not rows)
        self.layout.read_json({"data": data}, custom_columns=self._columns, reset_filters=False)

    def _cell(self, value: Cell) -> Cell:
        if value is None or value != value:  # NaN is no JSON
            return ""
        return round(value, self._digits) if isinstance(value, float) else value


class _Chart(Apexchart):  # type: ignore[misc]
    """A chart with a fixed id, which the SDK's charts cannot have; hidden while it is empty."""

    def __init__(self, widget_id: str, *, kind: str, options: dict[str, Any], height_px: int):
        self._fixed_id = widget_id
        self._series: list[dict[str, Any]] = []
        super().__init__(series=[], options=options, type=kind, height=height_px)
        set_hidden(self, True)

    def _register(self) -> None:
        self.widget_id = self._fixed_id
        super()._register()

    def publish(self) -> None:
        """Bring new series to the open pages."""
        self.update_data()
        set_hidden(self, not self._series)
        push_data()


class BarChart(_Chart):
    """Bars in groups: frames per class before and after.

    Args:
        widget_id: fixed id.
        title: above it.
        y_title: what the bars measure, with unit.
        height_px: of the chart.
    """

    def __init__(self, widget_id: str, *, title: str, y_title: str, height_px: int = 300) -> None:
        options = {
            "chart": {"type": "bar", "toolbar": {"show": False}},
            "title": {"text": title, "align": "left"},
            "dataLabels": {"enabled": False},
            "plotOptions": {"bar": {"columnWidth": "55%"}},
            "xaxis": {"type": "category"},
            "yaxis": [{"title": {"text": y_title}}],
        }
        super().__init__(widget_id, kind="bar", options=options, height_px=height_px)

    def show(self, groups: Mapping[str, Mapping[str, float]]) -> None:
        """Replace all bars.

        Args:
            groups: name of a series ("before") to the height of its bar over each label.
        """
        labels = list(dict.fromkeys(label for bars in groups.values() for label in bars))
        self._series = [
            {"name": name, "data": [{"x": x, "y": bars.get(x, 0)} for x in labels]}
            for name, bars in groups.items()
        ]
        self.publish()


class LineChart(_Chart):
    """Lines over a number: loss over epochs.

    Args:
        widget_id: fixed id.
        title: above it.
        x_title: what runs along.
        y_title: what is measured, with unit.
        height_px: of the chart.
        digits: decimals on the vertical axis.
        y_range: ends of the vertical axis; those of the lines by default.
    """

    def __init__(
        self,
        widget_id: str,
        *,
        title: str,
        x_title: str,
        y_title: str,
        height_px: int = 300,
        digits: int = 3,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        ends = {} if y_range is None else {"min": y_range[0], "max": y_range[1]}
        options = {
            "chart": {"type": "line", "zoom": {"enabled": False}, "toolbar": {"show": False}},
            "title": {"text": title, "align": "left"},
            "stroke": {"curve": "straight", "width": 2},
            "markers": {"size": 3},
            "xaxis": {"type": "numeric", "title": {"text": x_title}},
            "yaxis": [{"title": {"text": y_title}, "decimalsInFloat": digits, **ends}],
        }
        super().__init__(widget_id, kind="line", options=options, height_px=height_px)

    def show(self, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Replace all lines; each is a list of (x, y)."""
        self._series = [
            {"name": name, "data": [{"x": x, "y": y} for x, y in points if y == y]}
            for name, points in lines.items()
        ]
        self.publish()

    def add(self, name: str, x: float, y: float) -> None:
        """Append a point to a line, which is begun if need be."""
        for line in self._series:
            if line["name"] == name:
                line["data"].append({"x": x, "y": y})
                break
        else:
            self._series.append({"name": name, "data": [{"x": x, "y": y}]})
        self.publish()
