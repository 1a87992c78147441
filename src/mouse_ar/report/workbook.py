"""The results of a whole project as one workbook, for those who calculate in a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from mouse_ar import __version__
from mouse_ar.pipelines.results import (
    BIN_COLUMNS,
    BOUT_COLUMNS,
    SUMMARY_COLUMNS,
    Column,
    Row,
    bin_rows,
    bout_rows,
    summary_rows,
)
from mouse_ar.pipelines.results_folder import ResultsFolder

__all__ = ["write_workbook"]

# What a sheet of this format holds, without its header.
_MOST_ROWS = 2**20 - 1
_WIDEST = 48
_INTRODUCTION = (
    "Frames count from 0, in the order in which they are shown; first and last frame are both "
    "part of a bout.",
    "Seconds count from the start of the video's first frame and follow the video's own time "
    "stamps, also where its frame rate varies.",
    "An empty cell is a value that does not exist, such as the latency of an action that was not "
    "seen.",
)


def write_workbook(path: Path, results: ResultsFolder, *, bin_minutes: float) -> None:
    """Write the sheets *Read me*, *Summary*, *Bouts* and *Bins*.

    Every sheet of numbers is one table with a frozen header and filters. Summary and Bins have a
    row for every video and action, those without bouts included.

    Args:
        path: ``.xlsx`` file; a finished one is put in its place.
        results: what to write.
        bin_minutes: length of the time bins.

    Raises:
        ValueError: the name ends in something else, a table is longer than a sheet, or the bins
            have no usable length.
    """
    if path.suffix.lower() != ".xlsx":
        raise ValueError(f"{path}: a workbook's name ends in .xlsx.")
    videos, actions = results.videos, results.actions
    bins = bin_rows(videos, actions=actions, bin_minutes=bin_minutes)
    tables: dict[str, tuple[Sequence[Column], list[Row]]] = {
        "Summary": (SUMMARY_COLUMNS, summary_rows(videos, actions=actions)),
        "Bouts": (BOUT_COLUMNS, bout_rows(videos)),
        "Bins": (BIN_COLUMNS, bins),
    }
    for name, (_, rows) in tables.items():
        if len(rows) > _MOST_ROWS:
            raise ValueError(
                f"The sheet {name!r} would have {len(rows)} rows, and a sheet holds {_MOST_ROWS}: "
                "take the CSV tables, or longer time bins."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    # A video named like a formula stays a name.
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(temporary, options) as book:
        facts = {
            "videos": len(videos),
            "checked by a person": sum(video.reviewed for video in videos),
            "could not be read": ", ".join(sorted(results.failures)) or "none",
            "actions": ", ".join(actions.names),
            "time bins (minutes)": bin_minutes,
            "made with": f"mouse-ar {__version__}",
        }
        _read_me(book, facts, {name: columns for name, (columns, _) in tables.items()})
        for name, (columns, rows) in tables.items():
            _sheet(book, name, columns, rows)
    temporary.replace(path)


def _read_me(
    book: xlsxwriter.Workbook,
    facts: Mapping[str, object],
    tables: Mapping[str, Sequence[Column]],
) -> None:
    sheet = book.add_worksheet("Read me")
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True})
    title = book.add_format({"bold": True, "font_size": 14})
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 90)
    sheet.write(0, 0, "Behaviour found in the videos", title)
    row = 2
    for name, value in facts.items():
        sheet.write(row, 0, name, bold)
        sheet.write(row, 1, value)
        row += 1
    row += 1
    for text in _INTRODUCTION:
        sheet.write(row, 1, text, wrapped)
        row += 1
    for name, columns in tables.items():
        row += 1
        sheet.write(row, 0, f"Sheet {name}", bold)
        for column in columns:
            row += 1
            sheet.write(row, 0, column.name)
            sheet.write(row, 1, column.meaning, wrapped)
        row += 1


def _sheet(
    book: xlsxwriter.Workbook, name: str, columns: Sequence[Column], rows: Sequence[Row]
) -> None:
    sheet = book.add_worksheet(name)
    header = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    for number, column in enumerate(columns):
        texts = [str(row[column.name]) for row in rows] if column.digits is None else []
        widest = max(map(len, [*texts, column.name]), default=0)
        sheet.set_column(number, number, min(_WIDEST, widest + 3), _format(book, column))
        sheet.write(0, number, column.name, header)
    for line, row in enumerate(rows, start=1):
        for number, column in enumerate(columns):
            sheet.write(line, number, _cell(row[column.name]))
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, max(1, len(rows)), len(columns) - 1)


def _format(book: xlsxwriter.Workbook, column: Column) -> xlsxwriter.format.Format | None:
    if column.digits is None:
        return None
    return book.add_format({"num_format": "0." + "0" * column.digits if column.digits else "0"})


def _cell(value: Any) -> Any:
    """Numbers stay numbers, in full; a spreadsheet shows as many digits as the column says."""
    return "" if value is None else value
