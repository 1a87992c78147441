"""Bouts for BORIS (Behavioral Observation Research Interactive Software): project and table.

The project is a file of format 7.0, which BORIS 7 and later open: JSON with an ethogram
(``behaviors_conf``) and one observation per video. A state event is a pair of events, one where
it starts and one where it stops; a point event is one moment, here the middle of the bout.
The table is what BORIS 8 exports as *aggregated events*, which our own importer reads back.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.types import Bout, Ethogram, Interval, merge_intervals
from mouse_ar.data.files import write_json, write_text

__all__ = ["BorisVideo", "write_boris_project", "write_boris_table"]

_FORMAT_VERSION = "7.0"
_TYPES = {ActionKind.STATE: "State event", ActionKind.POINT: "Point event"}
_TABLE_COLUMNS = (
    *("Observation id", "Observation date", "Description", "Observation type", "Source"),
    *("Time offset (s)", "Media duration (s)", "FPS (frame/s)", "Subject", "Behavior"),
    *("Behavioral category", "Behavior type", "Start (s)", "Stop (s)", "Duration (s)"),
    *("Media file name", "Image index start", "Image index stop", "Comment start", "Comment stop"),
)


@dataclass(frozen=True, eq=False)
class BorisVideo:
    """One video with its bouts: an observation.

    Args:
        key: ``dataset/name``; becomes the observation's id.
        path: where BORIS finds the video.
        ethogram: its bouts.
        edges_seconds: float64 (T + 1,), when each frame begins and the last one ends.
        description: free text.
    """

    key: str
    path: Path
    ethogram: Ethogram
    edges_seconds: NDArray[np.float64]
    description: str = ""

    @property
    def seconds(self) -> float:
        """Length of the video, to the millisecond as all times of BORIS."""
        return _milliseconds(self.edges_seconds[-1])

    def events(self, action: Action) -> list[Bout]:
        """Bouts of an action; states that overlap are joined, as BORIS has one at a time."""
        bouts = list(self.ethogram.of(action.name))
        if action.kind is ActionKind.POINT:
            return bouts
        joined = merge_intervals((b.interval for b in bouts), max_gap=-1)
        return [Bout(part, action.name, _confidence(bouts, part)) for part in joined]

    def moments(self, action: Action, bout: Bout) -> list[tuple[float, int]]:
        """Time and frame of a bout's start and (inclusive) end, or of a point event's middle."""
        first, last = bout.interval.inclusive
        if action.kind is ActionKind.POINT:
            middle = (first + last + 1) // 2
            return [(_milliseconds(self.edges_seconds[middle]), middle)]
        start, stop = self.edges_seconds[first], self.edges_seconds[last + 1]
        return [(_milliseconds(start), first), (_milliseconds(stop), last)]


def write_boris_project(
    path: Path,
    videos: Sequence[BorisVideo],
    *,
    actions: ActionSet,
    name: str,
    date: datetime,
) -> None:
    """Write a project file that BORIS opens.

    Videos below the file's folder are named relative to it, so that both can be moved together;
    others by their full path.

    Args:
        path: ``.boris`` file.
        videos: the observations; their keys differ.
        actions: the ethogram.
        name: of the project.
        date: of the project and its observations.
    """
    stamp = date.isoformat(timespec="seconds")
    project = {
        "time_format": "hh:mm:ss",
        "project_date": stamp,
        "project_name": name,
        "project_description": "Bouts found by mouse-ar; comments hold their confidence.",
        "project_format_version": _FORMAT_VERSION,
        "subjects_conf": {},
        "behaviors_conf": {
            str(index): _behavior(action, key=_key(index))
            for index, action in enumerate(actions.actions)
        },
        "observations": {
            video.key: _observation(video, path=path, actions=actions, stamp=stamp)
            for video in videos
        },
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    write_json(path, project, indent=1)


def write_boris_table(
    path: Path, videos: Iterable[BorisVideo], *, actions: ActionSet, date: datetime
) -> None:
    """Write the bouts as BORIS writes aggregated events: ``.csv``, or ``.tsv`` with tabs."""
    buffer = io.StringIO()
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    table = csv.DictWriter(buffer, _TABLE_COLUMNS, delimiter=delimiter, lineterminator="\n")
    table.writeheader()
    for video in videos:
        for action in actions.actions:
            table.writerows(
                _table_row(video, action, bout, date=date) for bout in video.events(action)
            )
    write_text(path, buffer.getvalue())


def _behavior(action: Action, *, key: str) -> dict[str, Any]:
    return {
        "type": _TYPES[action.kind],
        "key": key,
        "code": action.name,
        "description": "",
        "color": "#{:02x}{:02x}{:02x}".format(*action.color),
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }


def _key(index: int) -> str:
    """The key that codes a behaviour; BORIS takes any one character, or none."""
    return "abcdefghijklmnopqrstuvwxyz0123456789"[index : index + 1]


def _observation(
    video: BorisVideo, *, path: Path, actions: ActionSet, stamp: str
) -> dict[str, Any]:
    media = _media_path(video.path, path.parent)
    events: list[list[Any]] = [
        [seconds, "", action.name, "", _comment(bout) if number == 0 else "", frame]
        for action in actions.actions
        for bout in video.events(action)
        for number, (seconds, frame) in enumerate(video.moments(action, bout))
    ]
    # By time alone: of touching bouts the stop stays before the start, as BORIS pairs in order.
    events.sort(key=lambda event: event[0])
    return {
        "file": {"1": [media], **{str(player): [] for player in range(2, 9)}},
        "type": "MEDIA",
        "date": stamp,
        "description": video.description,
        "time offset": 0.0,
        "events": events,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {media: video.seconds},
            "fps": {media: round(video.ethogram.fps, 6)},
            "hasVideo": {media: True},
            "hasAudio": {media: False},
            "offset": {"1": 0.0},
        },
    }


def _media_path(video: Path, folder: Path) -> str:
    video, folder = video.resolve(), folder.resolve()
    if video.is_relative_to(folder):
        return video.relative_to(folder).as_posix()
    return os.fspath(video)


def _table_row(video: BorisVideo, action: Action, bout: Bout, *, date: datetime) -> dict[str, Any]:
    moments = video.moments(action, bout)
    (start, first), (stop, last) = moments[0], moments[-1]
    return {
        "Observation id": video.key,
        "Observation date": date.isoformat(sep=" ", timespec="seconds"),
        "Description": video.description,
        "Observation type": "Media file",
        "Source": f"player #1:{video.key}",
        "Time offset (s)": "0.000",
        "Media duration (s)": f"{video.seconds:.3f}",
        "FPS (frame/s)": f"{video.ethogram.fps:.3f}",
        "Subject": "No focal subject",
        "Behavior": action.name,
        "Behavior type": "STATE" if action.kind is ActionKind.STATE else "POINT",
        "Start (s)": f"{start:.3f}",
        "Stop (s)": f"{stop:.3f}",
        "Duration (s)": f"{stop - start:.3f}" if action.kind is ActionKind.STATE else "NA",
        "Media file name": video.key,
        "Image index start": first,
        "Image index stop": last,
        "Comment start": _comment(bout),
    }


def _comment(bout: Bout) -> str:
    first, last = bout.interval.inclusive
    return f"frames {first}-{last}, confidence {bout.confidence:.2f}"


def _confidence(bouts: Iterable[Bout], part: Interval) -> float:
    """That of the surest of the bouts that were joined."""
    return max(bout.confidence for bout in bouts if bout.interval.overlap(part))


def _milliseconds(seconds: float) -> float:
    return round(float(seconds), 3)
