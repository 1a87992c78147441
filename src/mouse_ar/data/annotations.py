"""One video's annotation in Supervisely video format, read into the library's own types.

Frame ranges are inclusive in the files and half-open here. Nothing in a file is dropped without
a word: what cannot be used is kept as a tag or described in ``problems``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import Bout, Box, Ethogram, Interval, Track
from mouse_ar.data.boxes import box_from_geometry

__all__ = [
    "IGNORED_TAG",
    "MOUSE_CLASS",
    "PROVENANCE_KEY",
    "REVIEWED_TAG",
    "REVIEW_TAG",
    "ProjectTag",
    "VideoAnnotation",
    "parse_annotation",
]

MOUSE_CLASS = "mouse"
# Frames under this tag are neither trained on nor scored.
IGNORED_TAG = "uncertain"
# A reviewer puts this tag on a whole video whose predictions have been corrected.
REVIEWED_TAG = "reviewed"
# Frames that are most worth a reviewer's look; the value says why. Says nothing of what happens.
REVIEW_TAG = "review"
# Our part of a video's custom data, on the server and in ``video_info``.
PROVENANCE_KEY = "mouse_ar"

_BOXED = {"rectangle", "polygon"}


@dataclass(frozen=True)
class ProjectTag:
    """A tag that is not a bout.

    Args:
        name: as spelled in the project.
        interval: frames it covers, or None for a tag on the whole video.
        value: number, text, or None.
    """

    name: str
    interval: Interval | None = None
    value: float | str | None = None


@dataclass(frozen=True, eq=False)
class VideoAnnotation:
    """Everything known about one video of a project.

    Args:
        num_frames: frames of the video.
        height: height of the picture in pixels.
        width: width of the picture in pixels.
        bouts: the actions, each with its confidence (1 where a person labelled it).
        ignored: frames to leave out of training and scoring (tag ``uncertain``).
        tags: other tags with a frame range: the background, ``review``, and names that are no
            action.
        video_tags: tags on the whole video, such as ``reviewed``.
        track: the mouse's box per frame, or None when there are no boxes.
        description: free text of the labeler.
        custom_data: what the server or an earlier run stored beside the video.
        provenance: where a clip or prediction came from; empty for other videos.
        unknown_tags: names of frame-range tags that are none of these, and no action or alias.
        problems: what was wrong with the file and what was done about it.
    """

    num_frames: int
    height: int
    width: int
    bouts: tuple[Bout, ...] = ()
    ignored: tuple[Interval, ...] = ()
    tags: tuple[ProjectTag, ...] = ()
    video_tags: tuple[ProjectTag, ...] = ()
    track: Track | None = None
    description: str = ""
    custom_data: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    unknown_tags: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.num_frames < 0 or self.height < 1 or self.width < 1:
            raise ValueError(
                f"Annotation needs num_frames >= 0 and a picture size, got "
                f"{self.num_frames} frames of {self.width}x{self.height}."
            )
        if self.track is not None and self.track.num_frames != self.num_frames:
            raise ValueError(
                f"Track has {self.track.num_frames} frames, the video {self.num_frames}."
            )
        for interval in (
            *(b.interval for b in self.bouts),
            *self.ignored,
            *(t.interval for t in self.tags if t.interval is not None),
        ):
            if interval.start < 0 or interval.stop > self.num_frames:
                raise ValueError(
                    f"Tag on frames {interval.inclusive} does not fit into a video of "
                    f"{self.num_frames} frames."
                )

    def ethogram(self, fps: float) -> Ethogram:
        """The bouts as an ethogram; ``fps`` comes from the video itself."""
        return Ethogram(num_frames=self.num_frames, fps=fps, bouts=self.bouts)

    def has_video_tag(self, name: str) -> bool:
        """Whether the whole video carries a tag; letter case does not matter."""
        return any(tag.name.casefold() == name.casefold() for tag in self.video_tags)


def parse_annotation(
    data: Mapping[str, Any], *, actions: ActionSet, custom_data: Mapping[str, Any] | None = None
) -> VideoAnnotation:
    """Read the content of an ``ann/<video>.json`` file.

    Args:
        data: the JSON object.
        actions: the actions to look for; aliases and letter case are tolerated.
        custom_data: what ``video_info`` holds for the video; provenance lies under
            :data:`PROVENANCE_KEY`.

    Raises:
        ValueError: when the size or the number of frames is missing.
    """
    size = data.get("size") or {}
    try:
        num_frames = int(data["framesCount"])
        height, width = int(size["height"]), int(size["width"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "expected 'size' {height, width} and 'framesCount' in the annotation, got "
            f"size={data.get('size')!r}, framesCount={data.get('framesCount')!r}. "
            "Export the project again in Supervisely format."
        ) from error
    reader = _TagReader(num_frames=num_frames, actions=actions)
    reader.read(data.get("tags") or [])
    reader.note_object_tags(data.get("objects") or [])
    track, track_problems = _read_track(data, num_frames)
    custom = dict(custom_data or {})
    return VideoAnnotation(
        num_frames=num_frames,
        height=height,
        width=width,
        bouts=tuple(sorted(reader.bouts)),
        ignored=tuple(sorted(reader.ignored)),
        tags=tuple(reader.tags),
        video_tags=tuple(reader.video_tags),
        track=track,
        description=str(data.get("description") or ""),
        custom_data=custom,
        provenance=dict(custom.get(PROVENANCE_KEY) or {}),
        unknown_tags=tuple(sorted(reader.unknown)),
        problems=(*reader.problems, *track_problems),
    )


class _TagReader:
    """Sorts the tags of one file into bouts, ignored frames and the rest."""

    def __init__(self, *, num_frames: int, actions: ActionSet) -> None:
        self.bounds = Interval(0, num_frames) if num_frames else None
        self.actions = actions
        self.bouts: list[Bout] = []
        self.ignored: list[Interval] = []
        self.tags: list[ProjectTag] = []
        self.video_tags: list[ProjectTag] = []
        self.unknown: set[str] = set()
        self.problems: list[str] = []

    def read(self, tags: list[Mapping[str, Any]]) -> None:
        """Sort all tags; a tag given twice on the same frames counts once."""
        seen: Counter[tuple[str, Any, str]] = Counter()
        for tag in tags:
            name, frames = str(tag.get("name")), tag.get("frameRange")
            identity = (name, str(frames), str(tag.get("value")))
            seen[identity] += 1
            if seen[identity] == 1:
                self._sort(name, frames, tag.get("value"))
        for (name, frames, _), count in seen.items():
            if count > 1:
                self.problems.append(
                    f"tag {name!r} is there {count} times on frames {frames}: counted once"
                )

    def note_object_tags(self, objects: list[Mapping[str, Any]]) -> None:
        """Actions tagged on an object are not read as bouts, but must not pass unseen."""
        counts = Counter(
            str(tag.get("name"))
            for item in objects
            for tag in item.get("tags") or []
            if self.actions.resolve(str(tag.get("name"))) in self.actions.names
        )
        for name, count in sorted(counts.items()):
            self.problems.append(
                f"tag {name!r} sits {count} times on an object instead of the video: not read; "
                "put it on the video with a frame range"
            )

    def _sort(self, name: str, frames: Any, value: Any) -> None:
        action = self.actions.resolve(name)
        if frames is None:
            self.video_tags.append(ProjectTag(name=name, value=value))
            if action in self.actions.names:
                self.problems.append(f"tag {name!r} has no frame range: it marks no frames")
            return
        interval = self._interval(name, frames)
        if interval is None:
            return
        if action in self.actions.names:
            confidence = self._confidence(name, interval, value)
            self.bouts.append(Bout(interval=interval, action=str(action), confidence=confidence))
        elif name.casefold() == IGNORED_TAG:
            self.ignored.append(interval)
        else:
            self.tags.append(ProjectTag(name=name, interval=interval, value=value))
            if action is None and name.casefold() != REVIEW_TAG:
                self.unknown.add(name)

    def _interval(self, name: str, frames: Any) -> Interval | None:
        where = f"tag {name!r} on frames {frames}"
        try:
            first, last = (int(frame) for frame in frames)
        except (TypeError, ValueError):
            self.problems.append(f"{where}: expected [first, last]; skipped")
            return None
        if last < first:
            self.problems.append(f"{where}: the end lies before the start; skipped")
            return None
        interval = Interval.from_inclusive(first, last)
        inside = None if self.bounds is None else interval.clip(self.bounds)
        if inside is None or inside != interval:
            done = "skipped" if inside is None else f"cut to {list(inside.inclusive)}"
            length = 0 if self.bounds is None else self.bounds.length
            self.problems.append(f"{where}: the video has {length} frames; {done}")
        return inside

    def _confidence(self, name: str, interval: Interval, value: Any) -> float:
        if value is None:
            return 1.0
        if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
            return float(value)
        self.problems.append(
            f"tag {name!r} on frames {list(interval.inclusive)}: its value {value!r} is no "
            "confidence within 0..1; read as certain"
        )
        return 1.0


def _read_track(data: Mapping[str, Any], num_frames: int) -> tuple[Track | None, list[str]]:
    """Boxes of class ``mouse`` per frame; of several in one frame the largest is taken."""
    titles = {
        str(item[name]): str(item.get("classTitle") or "")
        for item in data.get("objects") or []
        for name in ("key", "id")
        if name in item
    }
    boxes: dict[int, Box] = {}
    problems: Counter[str] = Counter()
    for frame, figure in _figures(data):
        title = titles.get(str(figure.get("objectKey") or figure.get("objectId")), "")
        shape = figure.get("geometryType")
        if title.casefold() != MOUSE_CLASS:
            problems[f"figures of class {title!r} are not read"] += 1
            continue
        box = box_from_geometry(figure.get("geometry") or {}) if shape in _BOXED else None
        if box is None:
            problems[f"{MOUSE_CLASS} figures of shape {shape!r} have no box and are not read"] += 1
        elif not 0 <= frame < num_frames:
            problems[f"boxes beyond the {num_frames} frames of the video; skipped"] += 1
        elif frame in boxes:
            problems[f"further {MOUSE_CLASS} boxes in a frame; the largest is taken"] += 1
            boxes[frame] = max(boxes[frame], box, key=lambda b: b.area)
        else:
            boxes[frame] = box
    texts = [f"{count} x {text}" for text, count in problems.items()]
    return (Track.from_boxes(num_frames, boxes) if boxes else None), texts


def _figures(data: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for frame in data.get("frames") or []:
        for figure in frame.get("figures") or []:
            yield int(frame["index"]), figure
