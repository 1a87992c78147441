"""The table that says which videos belong together and, if wanted, what each is used for."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mouse_ar.core.splitting import Split
from mouse_ar.data.matching import VideoMatcher
from mouse_ar.data.project_layout import ProjectVideo

__all__ = ["Groups", "read_groups"]


@dataclass
class Groups:
    """What a table says about the videos of a project.

    Args:
        groups: group by video key; never divided between train, val and test.
        splits: wanted split by video key.
        unmatched: names in the table that mean no video of the project.
        ungrouped: keys of videos that the table does not name.
    """

    groups: dict[str, str] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    ungrouped: list[str] = field(default_factory=list)


def read_groups(path: Path, videos: Sequence[ProjectVideo]) -> Groups:
    """Read a CSV with the columns ``file``, ``group`` and optionally ``split``.

    Names are matched as those of annotation tables are: by the end of the path, whatever the
    letter case, the kind of slash or the file's extension.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a column is missing, a name means several videos, a split is unknown, or not
            a single row means a video of the project.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if not {"file", "group"} <= set(reader.fieldnames or ()):
        raise ValueError(
            f"{path}: expected columns 'file' and 'group', got {list(reader.fieldnames or ())}."
        )
    found = Groups()
    matcher = VideoMatcher(videos)
    named: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        match = matcher.find(row["file"] or "")
        if match.ambiguous:
            raise ValueError(
                f"{path}, line {line}: {row['file']!r} may be any of "
                f"{', '.join(match.candidates)}. Write it with its folder."
            )
        if match.video is None:
            found.unmatched.append(row["file"] or "")
            continue
        key = match.video.key
        if named.setdefault(key, line) != line:
            raise ValueError(f"{path}, line {line}: {key} is named in line {named[key]} already.")
        if group := (row["group"] or "").strip():
            found.groups[key] = group
        if split := (row.get("split") or "").strip().lower():
            found.splits[key] = _split(split, where=f"{path}, line {line}")
    if rows and not named:
        raise ValueError(
            f"{path}: none of its {len(rows)} rows names a video of the project, "
            f"e.g. {found.unmatched[0]!r} is none of {', '.join(v.key for v in videos[:3])}."
        )
    found.ungrouped = [video.key for video in videos if video.key not in named]
    return found


def _split(text: str, *, where: str) -> Split:
    try:
        return Split(text)
    except ValueError:
        allowed = ", ".join(split.value for split in Split)
        raise ValueError(f"{where}: split must be one of {allowed}, got {text!r}.") from None
