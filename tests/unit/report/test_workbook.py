"""The workbook, read back by another library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook

from made_results import FPS, add_result, make_results, scores
from mouse_ar.core.types import Bout, Interval
from mouse_ar.pipelines.results import BIN_COLUMNS, BOUT_COLUMNS, SUMMARY_COLUMNS
from mouse_ar.pipelines.results_folder import open_results
from mouse_ar.report.workbook import write_workbook
from tiny import GROOMING, TWITCH

BOUTS = (
    Bout(Interval(100, 151), GROOMING, 0.91239),
    Bout(Interval(2990, 3010), GROOMING, 0.7),
    Bout(Interval(5000, 5003), TWITCH, 0.5),
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    root = make_results(tmp_path / "out", {"cage/=1+1.mp4": BOUTS, "cage/b.mp4": ()})
    times = np.concatenate([np.arange(50) / FPS, 5 + np.arange(50) / 5])
    add_result(
        root,
        "vfr/c.mp4",
        scores(self=np.zeros(100)),
        bouts=(Bout(Interval(40, 60), GROOMING),),
        reviewed=True,
        timestamps_seconds=times,
    )
    write_workbook(tmp_path / "new/results.xlsx", open_results(root), bin_minutes=5)
    return tmp_path / "new/results.xlsx"


def test_one_row_per_video_and_action_with_its_numbers(written: Path) -> None:
    book = load_workbook(written)
    assert book.sheetnames == ["Read me", "Summary", "Bouts", "Bins"]
    for name, columns in (
        ("Summary", SUMMARY_COLUMNS),
        ("Bouts", BOUT_COLUMNS),
        ("Bins", BIN_COLUMNS),
    ):
        assert [cell.value for cell in book[name][1]] == [column.name for column in columns]
    rows = [[cell.value for cell in row] for row in book["Summary"].iter_rows(min_row=2)]
    assert [row[:3] for row in rows] == [
        ["cage/=1+1.mp4", GROOMING, 2],
        ["cage/=1+1.mp4", TWITCH, 1],
        ["cage/b.mp4", GROOMING, 0],
        ["cage/b.mp4", TWITCH, 0],
        ["vfr/c.mp4", GROOMING, 1],
        ["vfr/c.mp4", TWITCH, 0],
    ]
    names = [column.name for column in SUMMARY_COLUMNS]
    first = dict(zip(names, rows[0], strict=True))
    assert first["total_seconds"] == pytest.approx(7.1)
    assert first["latency_seconds"] == pytest.approx(10)
    assert first["bouts_per_hour"] == pytest.approx(12)
    assert dict(zip(names, rows[2], strict=True))["latency_seconds"] is None
    assert dict(zip(names, rows[4], strict=True))["reviewed"] == "yes"


def test_frames_are_inclusive_and_seconds_follow_the_time_stamps(written: Path) -> None:
    rows = [[cell.value for cell in row] for row in load_workbook(written)["Bouts"].iter_rows()][1:]
    assert rows[0][2:8] == [100, 150, 10, pytest.approx(15.1), pytest.approx(5.1), 0.9124]
    assert rows[-1][:4] == ["vfr/c.mp4", GROOMING, 40, 59]
    assert rows[-1][4:6] == [pytest.approx(4), pytest.approx(7)]


def test_bins_cut_time_at_their_edges(written: Path) -> None:
    rows = [[cell.value for cell in row] for row in load_workbook(written)["Bins"].iter_rows()][1:]
    groom = [row for row in rows if row[:2] == ["cage/=1+1.mp4", GROOMING]]
    assert [row[2:7] for row in groom] == [[0, 300, 0, 2999, 2], [300, 600, 3000, 5999, 0]]
    assert [row[7] for row in groom] == pytest.approx([6.1, 1])


def test_sheets_can_be_read_filtered_and_understood(written: Path) -> None:
    book = load_workbook(written)
    for name in ("Summary", "Bouts", "Bins"):
        sheet = book[name]
        assert sheet.freeze_panes == "C2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert sheet.column_dimensions["A"].width > len("cage/=1+1.mp4")
    assert book["Summary"].column_dimensions["D"].width > len("total_seconds")
    read_me = [str(cell.value) for row in book["Read me"].iter_rows() for cell in row]
    for column in (*SUMMARY_COLUMNS, *BOUT_COLUMNS, *BIN_COLUMNS):
        assert column.name in read_me
        assert column.meaning in read_me


def test_numbers_have_formats(written: Path) -> None:
    sheet = load_workbook(written)["Bouts"]
    formats = {cell.value: sheet.column_dimensions[cell.column_letter] for cell in sheet[1]}
    assert formats["start_seconds"].number_format == "0.000"
    assert formats["start_frame"].number_format == "0"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    results = open_results(make_results(tmp_path / "out", {"a/b.mp4": ()}))
    with pytest.raises(ValueError, match=r"name ends in \.xlsx"):
        write_workbook(tmp_path / "results.csv", results, bin_minutes=5)
    with pytest.raises(ValueError, match="must last 1 second"):
        write_workbook(tmp_path / "results.xlsx", results, bin_minutes=0)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
