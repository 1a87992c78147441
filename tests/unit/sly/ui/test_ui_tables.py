from __future__ import annotations

import json

import pytest
from supervisely.app import DataJson

from mouse_ar.sly.ui.tables import BarChart, LineChart, RowsTable
from mouse_ar.sly.ui.widgets import Notes


def test_rows_are_shown_and_replaced() -> None:
    table = RowsTable("t", ["Video", "Clips", "Grooming (s)"])
    table.show([["a.mp4", 3, 1.23456], ["b.mp4", 0, None], ["c.mp4", 1, float("nan")]])
    rows = [row["items"] for row in DataJson()["t"]["data"]]
    assert rows == [["a.mp4", 3, 1.23], ["b.mp4", 0, ""], ["c.mp4", 1, ""]]
    json.dumps(dict(DataJson()), allow_nan=False)
    table.show([["d.mp4", 1, 2.0]])
    assert DataJson()["t"]["total"] == 1
    table.show([])
    assert DataJson()["t"]["total"] == 0
    with pytest.raises(ValueError, match="Expected the cells"):
        table.show([["a.mp4"]])


def test_bars_have_a_fixed_id_and_the_same_labels() -> None:
    chart = BarChart("chart", title="Frames", y_title="Frames")
    chart.show({"before": {"idle": 5, "twitch": 2}, "after": {"idle": 1}})
    assert DataJson()["chart"]["type"] == "bar"
    assert DataJson()["chart"]["series"] == [
        {"name": "before", "data": [{"x": "idle", "y": 5}, {"x": "twitch", "y": 2}]},
        {"name": "after", "data": [{"x": "idle", "y": 1}, {"x": "twitch", "y": 0}]},
    ]


def test_lines_grow() -> None:
    chart = LineChart("loss", title="Loss", x_title="Epoch", y_title="Loss")
    chart.show({"train": [(1, 0.5), (2, float("nan"))]})
    chart.add("train", 3, 0.25)
    chart.add("val", 3, 0.5)
    assert DataJson()["loss"]["series"] == [
        {"name": "train", "data": [{"x": 1, "y": 0.5}, {"x": 3, "y": 0.25}]},
        {"name": "val", "data": [{"x": 3, "y": 0.5}]},
    ]


def test_notes_are_text_and_not_html() -> None:
    notes = Notes("n", "hello")
    assert notes.texts == ["hello"]
    notes.set_list([f"<b>{n}</b>" for n in range(150)])
    assert len(notes.texts) == 101
    assert notes.texts[-1] == "… and 50 more."
    assert "v-html" not in notes.to_html()
    notes.set("")
    assert notes.texts == []
