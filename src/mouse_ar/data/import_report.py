"""What an import of annotations did, row by row where something went wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ImportReport", "RowProblem"]

_TITLES = {
    "unreadable_file": "file not read",
    "unreadable_time": "times not readable",
    "unpaired": "start and stop do not pair up",
    "unknown_video": "video not in the project",
    "ambiguous_video": "several videos fit",
    "unknown_action": "action not known",
    "invalid_range": "frames outside of the video or reversed; not imported",
    "cut_range": "reaches past the end of the video; imported up to there",
    "unreadable_video": "video or its annotation not readable",
    "no_end": "state event without an end",
}
_MAX_LINES = 5
_MAX_VIDEOS = 20


@dataclass(frozen=True)
class RowProblem:
    """One row that could not be taken as it is.

    Args:
        file: the table.
        line: row in it, from 1; 0 for the whole file.
        kind: one of a fixed set of names, e.g. ``unknown_video``.
        text: what was found and what to do.
    """

    file: str
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class ImportReport:
    """Outcome of an import.

    Every event ends up in exactly one of ``added``, ``present``, ``background`` or a problem
    that says it was not imported.

    Args:
        formats: format of each file.
        events: events read from the tables.
        added: tags added, by action; frames to leave out count under ``uncertain``.
        present: events whose tag was there already, by action.
        background: events of the background class; they need no tag.
        videos: tags added, by video.
        problems: rows that were not taken, or not fully.
        notes: assumptions that were made.
        without_rows: videos of the project that no table has a row for.
    """

    formats: Mapping[str, str]
    events: int
    added: Mapping[str, int]
    present: Mapping[str, int]
    background: int
    videos: Mapping[str, int]
    problems: tuple[RowProblem, ...] = ()
    notes: tuple[str, ...] = ()
    without_rows: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The report as a person reads it; equal problems are told once."""
        lines = [f"{file}: {name}" for file, name in self.formats.items()]
        lines.append(
            f"{self.events} events: {sum(self.added.values())} tags added in "
            f"{len(self.videos)} videos, {sum(self.present.values())} were there already, "
            f"{self.background} are background and need no tag"
        )
        for action in sorted({*self.added, *self.present}):
            added, present = self.added.get(action, 0), self.present.get(action, 0)
            lines.append(f"  {action}: {added} added, {present} there already")
        lines += _capped([f"  {video}: {count} added" for video, count in self.videos.items()])
        if self.without_rows:
            lines.append(f"{len(self.without_rows)} videos have no row:")
            lines += _capped([f"  {video}" for video in self.without_rows])
        lines += [f"Note: {note}" for note in self.notes]
        groups: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
        for problem in self.problems:
            groups[problem.kind][(problem.file, problem.text)].append(problem.line)
        for kind, texts in groups.items():
            count = sum(len(rows) for rows in texts.values())
            lines.append(f"{_TITLES[kind].capitalize()} ({count} rows):")
            for (file, text), rows in texts.items():
                lines.append(f"  {file}{_rows(rows)}: {text}")
        return "\n".join(lines)


def _capped(lines: list[str]) -> list[str]:
    more = len(lines) - _MAX_VIDEOS
    return lines if more <= 0 else [*lines[:_MAX_VIDEOS], f"  and {more} more"]


def _rows(rows: list[int]) -> str:
    shown = ", ".join(str(row) for row in rows[:_MAX_LINES] if row)
    if not shown:
        return ""
    more = f" and {len(rows) - _MAX_LINES} more" if len(rows) > _MAX_LINES else ""
    return f", row{'s' if len(rows) > 1 else ''} {shown}{more}"
