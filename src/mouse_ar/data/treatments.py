"""The table for ``compare --groups``: which animal a video shows, and how it was treated."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mouse_ar.core.text import some_names
from mouse_ar.data.matching import VideoMatcher
from mouse_ar.data.project_layout import ProjectVideo
from mouse_ar.data.tables import read_grids

__all__ = ["Treatments", "read_treatments"]

_CONTROLS = ("control", "ctrl", "vehicle", "saline", "sham", "placebo", "untreated")


@dataclass(frozen=True)
class Treatments:
    """Two groups of animals.

    Args:
        control: name of the control group.
        treatment: name of the other.
        animals: keys of the videos by animal, by group.
        one_video_each: whether the table names no animals, so that every video counts as one.
        left_out: videos of another group, or of none.
    """

    control: str
    treatment: str
    animals: Mapping[str, Mapping[str, tuple[str, ...]]]
    one_video_each: bool = False
    left_out: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Line:
    where: str
    name: str
    group: str
    animal: str


def read_treatments(
    path: Path,
    videos: Sequence[ProjectVideo],
    *,
    control: str | None = None,
    treatment: str | None = None,
) -> Treatments:
    """Read a table with columns ``video``, ``group`` and, if wanted, ``animal``.

    A row names a video as :class:`~mouse_ar.data.matching.VideoMatcher` takes it. Without a column
    ``video`` a row names an animal, and has every video that has the animal's name as a folder,
    as its file name, or at the start of that before a space or a sign. An empty group leaves a
    video or animal out.

    Args:
        path: CSV or TSV.
        videos: of the results.
        control: name of the control group; by default the one whose name says so.
        treatment: name of the other, where there are more than two.

    Raises:
        ValueError: columns are missing, names do not match, an animal is in two groups, there are
            not two groups, or one has a single animal; the message lists the names.
    """
    lines, by_video = _read(path)
    found = _matched(lines, videos) if by_video else _of_animals(lines, videos, path)
    missing = [video.key for video in videos if video.key not in found]
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} videos have no row: {some_names(missing)}. Give each a row; "
            "an empty group leaves it out."
        )
    one_video_each = by_video and not any(line.animal for line in lines)
    animals: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    groups: dict[str, set[str]] = defaultdict(set)
    for key, line in found.items():
        if line.group:
            animal = line.animal or (key if by_video else line.name)
            animals[line.group][animal].append(key)
            groups[animal].add(line.group)
    if twice := sorted(animal for animal, names in groups.items() if len(names) > 1):
        raise ValueError(
            f"{path}: {some_names(twice)} in more than one group. An animal belongs to one: "
            "measurements before and after a treatment are not what is compared here."
        )
    names = _two_groups(animals, control=control, treatment=treatment, path=path)
    few = [f"{name} has {some_names(sorted(animals[name]))}" for name in names]
    if min(len(animals[name]) for name in names) < 2:
        raise ValueError(f"{path}: each group needs two animals or more: {'; '.join(few)}.")
    return Treatments(
        *names,
        animals={
            name: {animal: tuple(sorted(keys)) for animal, keys in sorted(animals[name].items())}
            for name in names
        },
        one_video_each=one_video_each,
        left_out=tuple(sorted(key for key, line in found.items() if line.group not in names)),
    )


def _read(path: Path) -> tuple[list[_Line], bool]:
    """The rows, and whether they name videos."""
    seen: list[str] = []
    for grid in read_grids(path):
        header = [cell.casefold() for cell in grid[0]]
        seen = seen or grid[0]
        by_video = "video" in header
        if "group" in header and (by_video or "animal" in header):
            rows = [
                (number, dict(zip(header, row, strict=False)))
                for number, row in enumerate(grid[1:], start=2)
                if any(row)
            ]
            return [
                _Line(
                    f"{path}, row {number}",
                    row["video" if by_video else "animal"],
                    row.get("group", ""),
                    row.get("animal", "") if by_video else "",
                )
                for number, row in rows
            ], by_video
    raise ValueError(
        f"{path}: expected columns 'video' (or 'animal') and 'group', got {', '.join(seen)}."
    )


def _matched(lines: Sequence[_Line], videos: Sequence[ProjectVideo]) -> dict[str, _Line]:
    """The row of each video that has one."""
    matcher = VideoMatcher(videos)
    found: dict[str, _Line] = {}
    strangers = []
    for line in lines:
        match = matcher.find(line.name)
        if match.ambiguous:
            fits = ", ".join(match.candidates)
            raise ValueError(f"{line.where}: {line.name!r} fits {fits}: give the folder too.")
        if match.video is None:
            strangers.append(line.name)
            continue
        other = found.setdefault(match.video.key, line)
        if (other.group, other.animal) != (line.group, line.animal):
            raise ValueError(f"{line.where}: another row says something else of {line.name}.")
    if strangers:
        raise ValueError(
            f"{lines[0].where.rsplit(',', 1)[0]}: {len(strangers)} rows name no video of the "
            f"results: {some_names(strangers)}. It has {some_names([v.key for v in videos])}."
        )
    return found


def _of_animals(
    lines: Sequence[_Line], videos: Sequence[ProjectVideo], path: Path
) -> dict[str, _Line]:
    """The row of each video whose name holds an animal's."""
    if twice := [name for name, n in Counter(line.name for line in lines).items() if n > 1]:
        raise ValueError(f"{path}: more than one row names {some_names(sorted(twice))}.")
    found: dict[str, _Line] = {}
    without = []
    for line in lines:
        keys = [video.key for video in videos if _shows(video, line.name)]
        if not keys:
            without.append(line.name)
        for key in keys:
            if key in found:
                raise ValueError(
                    f"{line.where}: {key} fits both {found[key].name!r} and {line.name!r}: make "
                    "a table of videos, with a column animal."
                )
            found[key] = line
    if without:
        raise ValueError(
            f"{path}: no video is named after {some_names(without)}. The results have "
            f"{some_names([video.key for video in videos])}."
        )
    return found


def _shows(video: ProjectVideo, animal: str) -> bool:
    wanted = animal.casefold()
    *folders, name = video.key.casefold().split("/")
    stem = PurePosixPath(name).stem
    begins = re.match(rf"{re.escape(wanted)}(?![^\W_])", stem) is not None
    return bool(wanted) and (wanted in folders or begins)


def _two_groups(
    groups: Mapping[str, object], *, control: str | None, treatment: str | None, path: Path
) -> tuple[str, str]:
    names = sorted(groups)
    there = f"{path} has the groups {', '.join(names) or 'none'}"
    for name in (control, treatment):
        if name is not None and name not in groups:
            raise ValueError(f"{there}, not {name!r}.")
    if len(names) < 2:
        raise ValueError(f"{there}: two are needed, such as control and treatment.")
    if control is None:
        likely = [name for name in names if name.casefold().startswith(_CONTROLS)]
        if len(likely) != 1:
            raise ValueError(f"{there}: say which is the control with --control.")
        control = likely[0]
    others = [name for name in names if name != control]
    if treatment is None and len(others) > 1:
        raise ValueError(f"{there}: say which to compare with {control} with --treatment.")
    treatment = treatment or others[0]
    if treatment == control:
        raise ValueError(f"{control!r} cannot be both the control and the treatment.")
    return control, treatment
