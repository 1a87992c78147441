"""The annotations of the real videos, imported through the public functions."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from mouse_ar.core.types import Interval
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.folder import project_from_folder
from mouse_ar.data.importers import import_annotations


@pytest.mark.slow
def test_every_row_of_the_real_annotations_is_matched(shared_data: Path, tmp_path: Path) -> None:
    folder = project_from_folder(shared_data, tmp_path / "project", actions=load_actions())
    table = shared_data / "annotations.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = Counter(row["project_label"] for row in rows)

    report = import_annotations(folder.project, [table])

    assert folder.failed == ()
    assert report.problems == ()
    assert report.events == len(rows)
    assert report.background == labels.pop("idle")
    assert report.added == labels
    again = import_annotations(folder.project, [table])
    assert again.added == {}
    assert again.present == labels
    camera = folder.project.read(folder.project.video("mouse_cylinder", "camR_31500.mp4"))
    assert camera.ignored[0] == Interval(41, 48)
    assert [b.interval for b in camera.bouts] == [
        Interval(int(row["start_frame"]), int(row["end_frame_inclusive"]) + 1)
        for row in rows
        if row["file"].endswith("camR_31500.mp4") and row["project_label"] == "Self-Grooming"
    ]
