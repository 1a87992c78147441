"""Exports of BORIS (Behavioral Observation Research Interactive Software): events as tables.

Two exports of versions 7 and 8 are read, as CSV or TSV:

- *aggregated events*: one row per event with "Behavior type" (STATE, POINT), "Start (s)" and
  "Stop (s)";
- *tabular events*: one row per key press with "Time" and START, STOP or POINT in "Behavior type"
  (version 8) or "Status" (version 7, which puts some lines about the observation above).

BORIS counts time through all videos of an observation and adds the observation's time offset.
Both are taken off here, so that times count from the start of the video that holds the event.
Version 8 names the videos of player 1 with their durations ("Source", "Media duration (s)").
Version 7 gives only their total, which the importer compares with the video.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mouse_ar.core.actions import normalized
from mouse_ar.data.tables import (
    EventRow,
    RowError,
    Table,
    parse_frame,
    parse_number,
    parse_seconds,
)

__all__ = ["read_boris"]

_MEDIA = ("mediafilename", "mediafilepath", "mediafile")
_NO_MEDIA = {"", "na", "not found", "live"}
_PLAYER = re.compile(r"^player #\d+:\s*", re.IGNORECASE)


def read_boris(grid: Sequence[Sequence[str]]) -> Table | None:
    """Read either export, or return None when the table is none of them."""
    for index, row in enumerate(grid):
        names = [normalized(cell) for cell in row]
        columns = {name: i for i, name in reversed(list(enumerate(names))) if name}
        if "behavior" not in columns:
            continue
        preamble = {normalized(r[0]): r[1] for r in grid[:index] if len(r) > 1 and r[0]}
        rows = [
            _Cells(
                line, {name: cells[i] for name, i in columns.items() if i < len(cells)}, preamble
            )
            for line, cells in enumerate(grid, start=1)
            if line > index + 1 and any(cells)
        ]
        if "behaviortype" in columns and ("starts" in columns or "start" in columns):
            return _aggregated(rows)
        if "time" in columns and ("behaviortype" in columns or "status" in columns):
            return _tabular(rows)
    return None


@dataclass(frozen=True)
class _Cells:
    """One row by column name; ``preamble`` holds the lines above the header."""

    line: int
    values: Mapping[str, str]
    preamble: Mapping[str, str]

    def get(self, *names: str) -> str:
        """The first of the columns that the row fills."""
        return next((self.values[n] for n in names if self.values.get(n)), "")

    @property
    def observation(self) -> str:
        return self.get("observationid") or self.preamble.get("observationid", "")

    @property
    def media(self) -> str:
        """Video of the event; the only one of the observation or its id where none is named."""
        named = self.get(*_MEDIA)
        if named.casefold() not in _NO_MEDIA:
            return named
        sources = self.sources
        return sources[0] if len(sources) == 1 else self.observation

    @property
    def sources(self) -> list[str]:
        """Videos of player 1 in the order in which they were played."""
        first_player = _PLAYER.sub("", self.get("source").split("|")[0])
        return [name.strip() for name in first_player.split(";") if name.strip()]

    def media_start_seconds(self) -> float:
        """Time of the observation at which the event's video starts.

        Raises:
            ValueError: when the durations of the videos before it are not in the table.
        """
        offset = parse_seconds(self.get("timeoffsets") or self.preamble.get("timeoffsets", ""))
        sources = self.sources
        if len(sources) < 2:
            return offset or 0.0
        durations = [parse_number(d) for d in self.get("mediadurations").split("|")[0].split(";")]
        names = [_base_name(source) for source in sources]
        media = _base_name(self.media)
        before = durations[: names.index(media)] if names.count(media) == 1 else [None]
        if len(durations) != len(sources) or None in before:
            raise ValueError(
                f"the observation has {len(sources)} videos and the table does not say how long "
                "those before the event are"
            )
        return (offset or 0.0) + sum(d for d in before if d is not None)

    def observed_seconds(self) -> float | None:
        """Length of all its videos, where only that is known (version 7)."""
        return parse_number(self.get("totallength")) if not self.sources else None


def _base_name(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


def _event(cells: _Cells, start: str, stop: str | None) -> EventRow:
    """An event from its times in the observation; ``stop`` is None for a point event."""
    begin = parse_seconds(start)
    end = None if stop is None else parse_seconds(stop)
    if begin is None:
        return _event_from_index(cells, has_stop=stop is not None)
    if stop is not None and end is None:
        raise ValueError("the state event has no stop")
    shift = cells.media_start_seconds()
    return EventRow(
        line=cells.line,
        video=cells.media,
        label=cells.get("behavior"),
        # BORIS rounds to milliseconds, so the first frame may come out a hair below 0.
        start_seconds=begin - shift,
        stop_seconds=None if end is None else end - shift,
        observed_seconds=cells.observed_seconds(),
    )


def _event_from_index(cells: _Cells, *, has_stop: bool) -> EventRow:
    """An event without times (coded on pictures): by frame index."""
    first = parse_frame(cells.get("imageindexstart", "imageindex"))
    last = parse_frame(cells.get("imageindexstop", "imageindex"))
    if first is None or (has_stop and last is None):
        raise ValueError("the event has neither times nor frame indices")
    return EventRow(
        line=cells.line,
        video=cells.media,
        label=cells.get("behavior"),
        first_frame=first,
        last_frame=last if has_stop else None,
    )


def _aggregated(rows: Sequence[_Cells]) -> Table:
    events, errors = [], []
    for cells in rows:
        kind = cells.get("behaviortype").upper()
        stop = None if kind.startswith("POINT") else cells.get("stops", "stop")
        try:
            events.append(_event(cells, cells.get("starts", "start"), stop))
        except ValueError as error:
            errors.append(RowError(cells.line, "unreadable_time", str(error)))
    return Table("boris-aggregated", tuple(events), tuple(errors), _notes(rows))


def _tabular(rows: Sequence[_Cells]) -> Table:
    """Pair START and STOP of the same subject, behaviour and modifiers."""
    events: list[EventRow] = []
    errors: list[RowError] = []
    running: dict[tuple[str, ...], _Cells] = {}
    for cells in rows:
        status = (cells.get("status") or cells.get("behaviortype")).upper()
        modifiers = [v for n, v in sorted(cells.values.items()) if n.startswith("modif")]
        who = (cells.observation, cells.get("subject"), cells.get("behavior"), *modifiers)
        if status == "START":
            if who in running:
                errors.append(_unpaired(running[who], "START without STOP"))
            running[who] = cells
        elif status in {"STOP", "POINT"}:
            start = running.pop(who, None) if status == "STOP" else cells
            if start is None:
                errors.append(_unpaired(cells, "STOP without START"))
                continue
            try:
                events.append(_tabular_event(start, cells if status == "STOP" else None))
            except ValueError as error:
                errors.append(RowError(start.line, "unreadable_time", str(error)))
        else:
            errors.append(_unpaired(cells, f"unknown event type {status!r}"))
    errors += [_unpaired(cells, "START without STOP") for cells in running.values()]
    return Table("boris-tabular", tuple(events), tuple(errors), _notes(rows))


def _unpaired(cells: _Cells, text: str) -> RowError:
    return RowError(cells.line, "unpaired", f"{text} of {cells.get('behavior')!r}")


def _tabular_event(start: _Cells, stop: _Cells | None) -> EventRow:
    if stop is None:
        return _event(start, start.get("time"), None)
    merged = {**start.values, "imageindexstart": start.get("imageindex")}
    merged["imageindexstop"] = stop.get("imageindex")
    return _event(_Cells(start.line, merged, start.preamble), start.get("time"), stop.get("time"))


def _notes(rows: Sequence[_Cells]) -> tuple[str, ...]:
    subjects = {(c.observation, c.get("subject")) for c in rows}
    observations = {c.observation for c in rows}
    if len(subjects) > len(observations):
        return ("several subjects are coded in one observation; the events of all are taken",)
    return ()
