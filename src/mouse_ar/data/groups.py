"""The table for ``preprocess --groups``: which videos belong together and what each is for."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.splitting import Split
from mouse_ar.core.text import some_names
from mouse_ar.data.matching import VideoMatcher
from mouse_ar.data.project_layout import ProjectVideo

__all__ = ["VideoGroups", "read_groups"]


@dataclass(frozen=True)
class VideoGroups:
    """What the table says of the videos of a project.

    Args:
        groups: group by video key; videos of one group are never split.
        splits: use by video key, for the videos whose row says so.
        notes: rows and videos that found no counterpart.
    """

    groups: Mapping[str, str]
    splits: Mapping[str, Split]
    notes: tuple[str, ...] = ()


def read_groups(path: Path, videos: Sequence[ProjectVideo]) -> VideoGroups:
    """Read a CSV with columns ``file``, ``group`` and, if wanted, ``split``.

    A row names a video as :class:`~mouse_ar.data.matching.VideoMatcher` takes it. An empty group
    leaves a video on its own.

    Raises:
        ValueError: columns are missing, a split is unknown, a name fits several videos, a video
            has two rows that differ, or no row fits any video; the message names file and row.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        rows = [(reader.line_num, row) for row in reader]
    columns = list(reader.fieldnames or ())
    if not rows or not {"file", "group"} <= set(columns):
        raise ValueError(f"{path}: expected columns 'file' and 'group' and rows, got {columns}.")
    matcher = VideoMatcher(videos)
    found: dict[str, tuple[str | None, Split | None]] = {}
    strangers = []
    for line, row in rows:
        where, name = f"{path}, row {line}", (row["file"] or "").strip()
        said = ((row["group"] or "").strip() or None, _split(row.get("split"), where))
        match = matcher.find(name)
        if match.ambiguous:
            fits = ", ".join(match.candidates)
            raise ValueError(f"{where}: {name!r} fits {fits}: give the folder too.")
        if match.video is None:
            strangers.append(name)
        elif found.setdefault(match.video.key, said) != said:
            raise ValueError(f"{where}: another row says something else of {match.video.key}.")
    missing = [video.key for video in videos if video.key not in found]
    if not found:
        raise ValueError(
            f"{path}: no row names a video of the project. It has {some_names(missing)}; "
            f"the table has {some_names(strangers)}."
        )
    notes = []
    if strangers:
        notes.append(f"{path}: {len(strangers)} rows name no video: {some_names(strangers)}")
    if missing:
        notes.append(f"{path}: {len(missing)} videos have no row: {some_names(missing)}")
    return VideoGroups(
        groups={key: group for key, (group, _) in found.items() if group is not None},
        splits={key: split for key, (_, split) in found.items() if split is not None},
        notes=tuple(notes),
    )


def _split(text: str | None, where: str) -> Split | None:
    value = (text or "").strip().lower()
    try:
        return Split(value) if value else None
    except ValueError:
        allowed = ", ".join(Split)
        raise ValueError(f"{where}: split {text!r} is none of {allowed}, or empty.") from None
