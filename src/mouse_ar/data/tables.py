"""Reading annotation tables: delimiters, encodings, header rows, times; and the plain format."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mouse_ar.core.actions import normalized

__all__ = [
    "EventRow",
    "RowError",
    "Table",
    "Units",
    "parse_frame",
    "parse_number",
    "parse_seconds",
    "read_grids",
    "read_plain",
]

Units = Literal["auto", "frames", "seconds"]

_EMPTY = {"", "na", "nan", "none", "null"}

# Column names by meaning, the most telling first; compared by letters and digits only.
_VIDEO = (
    *("video", "videoname", "videofile", "videopath", "file", "filename", "filepath"),
    *("mediafile", "mediafilename", "mediafilepath", "media"),
)
_LABEL = (
    *("action", "projectlabel", "behavior", "behaviour", "label", "class", "event", "tag"),
    *("actionname", "behaviorname", "behaviourname"),
)
_START_FRAME = ("startframe", "framestart", "firstframe", "onsetframe", "beginframe", "frame")
_STOP_FRAME = (
    *("endframe", "endframeinclusive", "stopframe", "frameend", "lastframe", "offsetframe"),
    "endinclusive",
)
_START_SECONDS = ("startseconds", "starts", "startsec", "starttime", "onsetseconds", "timestart")
_STOP_SECONDS = (
    *("endseconds", "ends", "endsec", "endtime", "stopseconds", "stops", "stopsec", "stoptime"),
    *("offsetseconds", "timeend"),
)
_START = ("start", "begin", "onset", "from")
_STOP = ("end", "stop", "offset", "to")


@dataclass(frozen=True)
class EventRow:
    """One event of a table; times count from the start of its own video.

    Either frames or seconds are given. A point event has no stop.

    Args:
        line: row in the file, from 1.
        video: name as in the table.
        label: name as in the table.
        first_frame: first frame.
        last_frame: last frame, inclusive.
        start_seconds: time of the start.
        stop_seconds: time of the end; the frame shown at that moment no longer belongs.
        observed_seconds: length of the observation, where one video is expected to fill it.
    """

    line: int
    video: str
    label: str
    first_frame: int | None = None
    last_frame: int | None = None
    start_seconds: float | None = None
    stop_seconds: float | None = None
    observed_seconds: float | None = None


@dataclass(frozen=True)
class RowError:
    """A row of a table that gives no event."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class Table:
    """Events and complaints from one file."""

    format: str
    events: tuple[EventRow, ...]
    errors: tuple[RowError, ...] = ()
    notes: tuple[str, ...] = ()


def read_grids(path: Path) -> Iterator[list[list[str]]]:
    """Cells of a text table, once for each delimiter that it might use.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is empty or no text; the message names the file.
    """
    text = _decode(path.read_bytes())
    if "\x00" in text:
        raise ValueError(f"{path} is no text file. Save the table as CSV or TSV.")
    if not text.strip():
        raise ValueError(f"{path} is empty.")
    for delimiter in (",", ";", "\t"):
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error:  # with the wrong delimiter a cell may get too long
            continue
        yield [[cell.strip() for cell in row] for row in rows]


def _decode(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")  # what spreadsheets on Windows write


def parse_number(text: str) -> float | None:
    """A number, with a decimal point or comma; None for an empty cell or ``NA``.

    Raises:
        ValueError: when it is something else.
    """
    if text.casefold() in _EMPTY:
        return None
    value = float(text.replace(",", ".")) if text.count(",") == 1 else float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {text!r}")
    return value


def parse_frame(text: str) -> int | None:
    """A frame number; None for an empty cell or ``NA``.

    Raises:
        ValueError: when it is something else, such as a number with a thousands comma.
    """
    if text.casefold() in _EMPTY:
        return None
    if not re.fullmatch(r"[+-]?[0-9]+(\.0*)?", text):
        raise ValueError(f"frames must be whole numbers without separators, got {text!r}")
    return int(text.split(".")[0])


def parse_seconds(text: str) -> float | None:
    """Seconds, ``mm:ss`` or ``hh:mm:ss``, each with decimals; None for an empty cell.

    Raises:
        ValueError: when it is something else.
    """
    *larger, seconds = text.split(":")
    value = parse_number(seconds)
    if value is None:
        return None
    if not larger:
        return value
    sign = -1.0 if text.startswith("-") else 1.0
    if len(larger) > 2 or not 0 <= value < 60:
        raise ValueError(f"{text!r} is no time of the form hh:mm:ss")
    for power, part in enumerate(reversed(larger), start=1):
        value += abs(int(part)) * 60**power
    return sign * value


def _first(columns: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((columns[name] for name in names if name in columns), None)


def read_plain(grid: Sequence[Sequence[str]], *, units: Units = "auto") -> Table | None:
    """Read the plain format: one row per event with video, action, start and end.

    Frames are inclusive, as in the labeler. Without a unit in the column names, times with a
    colon or a decimal point are seconds and whole numbers are frames.

    Args:
        grid: cells of the file.
        units: what plain ``start`` and ``end`` columns hold.

    Returns:
        The events, or None when the first filled row is no such header.
    """
    header = next((i for i, row in enumerate(grid) if any(row)), None)
    if header is None:
        return None
    columns: dict[str, int] = {}
    for index, name in enumerate(grid[header]):
        columns.setdefault(normalized(name), index)
    video, label = _first(columns, _VIDEO), _first(columns, _LABEL)
    body = [(line, row) for line, row in enumerate(grid, start=1) if line > header + 1 and any(row)]
    span = _span_columns(columns, [row for _, row in body], units)
    if video is None or label is None or span is None:
        return None
    start, stop, in_frames, notes = span
    events, errors = [], []
    for line, row in body:
        cells = [*row, *[""] * (len(grid[header]) - len(row))]
        try:
            times = _times(cells[start], "" if stop is None else cells[stop], in_frames)
            events.append(EventRow(line, cells[video], cells[label], *times))
        except ValueError as error:
            errors.append(RowError(line, "unreadable_time", str(error)))
    return Table("plain", tuple(events), tuple(errors), notes)


def _span_columns(
    columns: Mapping[str, int], rows: Sequence[Sequence[str]], units: Units
) -> tuple[int, int | None, bool, tuple[str, ...]] | None:
    """Columns of start and end, whether they hold frames, and what had to be assumed."""
    frame, second = _first(columns, _START_FRAME), _first(columns, _START_SECONDS)
    if frame is not None:
        return frame, _first(columns, _STOP_FRAME), True, ()
    if second is not None:
        return second, _first(columns, _STOP_SECONDS), False, ()
    start = _first(columns, _START)
    if start is None:
        return None
    stop = _first(columns, (*_STOP, *_STOP_FRAME, *_STOP_SECONDS))
    if units != "auto":
        return start, stop, units == "frames", ()
    cells = [row[i] for row in rows for i in (start, stop) if i is not None and i < len(row)]
    if any(mark in cell for cell in cells for mark in ":.,"):
        return start, stop, False, ()
    note = (
        "start and end are whole numbers without a unit: read as frames, the end inclusive. "
        "If they are seconds, say so with --units seconds."
    )
    return start, stop, True, (note,)


def _times(
    start: str, stop: str, in_frames: bool
) -> tuple[int | None, int | None, float | None, float | None]:
    """Values of :class:`EventRow` from ``first_frame`` to ``stop_seconds``."""
    if in_frames:
        first = parse_frame(start)
        if first is None:
            raise ValueError(f"no start: got {start!r}")
        return first, parse_frame(stop), None, None
    begin = parse_seconds(start)
    if begin is None:
        raise ValueError(f"no start: got {start!r}")
    return None, None, begin, parse_seconds(stop)
