"""Annotation tables into a project's tags."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from mouse_ar.core.actions import ActionKind, ActionSet, normalized
from mouse_ar.core.types import Interval
from mouse_ar.data.annotations import IGNORED_TAG, ProjectTag, VideoAnnotation
from mouse_ar.data.boris import read_boris
from mouse_ar.data.clock import Clock, Timing
from mouse_ar.data.import_report import ImportReport, RowProblem
from mouse_ar.data.matching import VideoMatcher
from mouse_ar.data.project_layout import ProjectVideo
from mouse_ar.data.tables import EventRow, Table, Units, read_grids, read_plain
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import probe

__all__ = [
    "DEFAULT_POINT_SECONDS",
    "ImportReport",
    "LabelledProject",
    "TableFormat",
    "import_annotations",
]

TableFormat = Literal["auto", "plain", "boris"]

# A twitch lasts a tenth to a quarter of a second; a point event says only when.
DEFAULT_POINT_SECONDS = 0.2
# An observation this much longer than its video holds more videos than one.
_SAME_LENGTH_SECONDS = 1.0


class LabelledProject(Protocol):
    """What is needed of a project; :class:`~mouse_ar.data.local_project.LocalProject` has it."""

    @property
    def actions(self) -> ActionSet:
        """The actions that labels may mean."""

    def videos(self) -> list[ProjectVideo]:
        """Its videos, sorted."""

    def read(self, video: ProjectVideo) -> VideoAnnotation:
        """The annotation of a video."""

    def add_tags(self, video: ProjectVideo, tags: Iterable[ProjectTag]) -> int:
        """Add tags that are not there; how many were added."""


class _Failure(Exception):
    """An event that cannot be imported."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def import_annotations(
    project: LabelledProject,
    tables: Sequence[Path | str],
    *,
    format: TableFormat = "auto",
    units: Units = "auto",
    ignore_labels: Iterable[str] = (IGNORED_TAG,),
    point_seconds: float = DEFAULT_POINT_SECONDS,
    read_timing: Callable[[Path], Timing] = probe,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Add the events of annotation tables to a project as tags.

    Tables are CSV or TSV: BORIS aggregated or tabular events (see :mod:`mouse_ar.data.boris`) or
    one row per event (see :func:`mouse_ar.data.tables.read_plain`). Importing again adds nothing;
    what a row could not give is in the report and stops nothing else. Frames are inclusive;
    a span of seconds takes the frames on screen within it, by the video's own timestamps.

    Args:
        project: receives the tags; annotations that are there stay.
        tables: the files.
        format: kind of table; found out by default.
        units: what ``start`` and ``end`` of a plain table hold, where their names do not say.
        ignore_labels: labels whose frames are left out of training and scoring; they become the
            tag ``uncertain``.
        point_seconds: length given to a point event, around its moment; at least one frame.
        read_timing: gives a video's timestamps; called only where a table holds seconds.
        progress: called with (videos done, videos with events).

    Raises:
        ValueError: when ``point_seconds`` is negative.
    """
    if point_seconds < 0:
        raise ValueError(f"point_seconds must be >= 0, got {point_seconds}.")
    run = _Import(project, ignore_labels, point_seconds, read_timing)
    for path in map(Path, tables):
        run.collect(path, format=format, units=units)
    run.write(progress)
    return run.report()


def read_table(path: Path, *, format: TableFormat, units: Units) -> Table:
    """Read one table of any known format.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is none of them; the message names the file.
    """
    for grid in read_grids(path):
        table = None
        if format != "plain":
            table = read_boris(grid)
        if table is None and format != "boris":
            table = read_plain(grid, units=units)
        if table is not None:
            return table
    wanted = {"auto": "a BORIS export or a table", "boris": "a BORIS export", "plain": "a table"}
    raise ValueError(
        f"{path}: expected {wanted[format]} with columns for video, action and start (such as "
        "video, action, start_frame, end_frame), separated by comma, semicolon or tab."
    )


class _Import:
    """State of one import: events by video, counts, problems."""

    def __init__(
        self,
        project: LabelledProject,
        ignore_labels: Iterable[str],
        point_seconds: float,
        read_timing: Callable[[Path], Timing],
    ) -> None:
        self.project = project
        self.ignored = {_same(label) for label in ignore_labels}
        self.point_seconds = point_seconds
        self.read_timing = read_timing
        self.matcher = VideoMatcher(project.videos())
        self.events: dict[ProjectVideo, list[tuple[str, EventRow, str]]] = defaultdict(list)
        self.formats: dict[str, str] = {}
        self.num_events = self.background = self.extended = 0
        self.added: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.videos: dict[str, int] = {}
        self.problems: list[RowProblem] = []
        self.notes: dict[str, None] = {}

    def collect(self, path: Path, *, format: TableFormat, units: Units) -> None:
        """Read a table and sort its events by video."""
        file = str(path)
        try:
            table = read_table(path, format=format, units=units)
        except (OSError, ValueError) as error:
            self.problems.append(RowProblem(file, 0, "unreadable_file", str(error)))
            return
        self.formats[file] = table.format
        self.num_events += len(table.events)
        self.notes |= dict.fromkeys(f"{path.name}: {note}" for note in table.notes)
        self.problems += [RowProblem(file, e.line, e.kind, e.text) for e in table.errors]
        for row in table.events:
            try:
                name = self._tag_name(row.label)
                self.events[self._video(row.video)].append((file, row, name))
            except _Failure as failure:
                self.problems.append(RowProblem(file, row.line, failure.kind, failure.text))

    def _tag_name(self, label: str) -> str:
        if _same(label) in self.ignored:
            return IGNORED_TAG
        actions = self.project.actions
        name = actions.resolve(label)
        if name is None:
            raise _Failure(
                "unknown_action",
                f"{label!r}; known are {', '.join(actions.classes)} and their aliases "
                f"(an alias is added in the actions file)",
            )
        return name

    def _video(self, name: str) -> ProjectVideo:
        match = self.matcher.find(name)
        if match.video is not None:
            return match.video
        names = ", ".join(match.candidates)
        if match.ambiguous:
            raise _Failure("ambiguous_video", f"{name!r} fits {names}: give the folder too")
        raise _Failure("unknown_video", f"{name!r}" + (f"; did you mean {names}?" if names else ""))

    def write(self, progress: Callable[[int, int], None] | None) -> None:
        """Turn the events of each video into tags and add them."""
        for done, (video, events) in enumerate(sorted(self.events.items(), key=lambda e: e[0])):
            try:
                self._write_video(video, events)
            except VIDEO_FAILURES as error:
                for file, row, _ in events:
                    self.problems.append(RowProblem(file, row.line, "unreadable_video", str(error)))
            if progress is not None:
                progress(done + 1, len(self.events))

    def _write_video(
        self, video: ProjectVideo, events: Sequence[tuple[str, EventRow, str]]
    ) -> None:
        annotation = self.project.read(video)
        needs_time = any(row.last_frame is None for _, row, _ in events)
        clock = Clock(self.read_timing(video.video_path)) if needs_time else None
        known = {(bout.action, bout.interval) for bout in annotation.bouts}
        known |= {(IGNORED_TAG, interval) for interval in annotation.ignored}
        background = self.project.actions.background
        tags = []
        for file, row, name in events:
            try:
                interval, problem = self._interval(row, name, annotation, clock)
            except _Failure as failure:
                self.problems.append(RowProblem(file, row.line, failure.kind, failure.text))
                continue
            if problem:
                self.problems.append(RowProblem(file, row.line, "cut_range", problem))
            if name == background:
                self.background += 1
            elif (name, interval) in known:
                self.present[name] += 1
            else:
                known.add((name, interval))
                self.added[name] += 1
                tags.append(ProjectTag(name=name, interval=interval))
        if tags:
            self.videos[video.key] = self.project.add_tags(video, tags)

    def _interval(
        self, row: EventRow, name: str, annotation: VideoAnnotation, clock: Clock | None
    ) -> tuple[Interval, str]:
        """Frames of an event and, where they had to be cut to the video, a text."""
        total = annotation.num_frames
        first, stop = self._frames(row, name, clock)
        where = f"frames {first}-{stop - 1}"
        if stop <= first:
            raise _Failure("invalid_range", f"{where}: the end lies before the start")
        if first < 0 or first >= total:
            raise _Failure("invalid_range", f"{where}: the video has frames 0-{total - 1}")
        if stop <= total:
            return Interval(first, stop), ""
        return Interval(first, total), f"{where}: the video ends at frame {total - 1}"

    def _frames(self, row: EventRow, name: str, clock: Clock | None) -> tuple[int, int]:
        """First and exclusive last frame as the row says, not yet checked."""
        if row.first_frame is not None and row.last_frame is not None:
            return row.first_frame, row.last_frame + 1
        assert clock is not None
        _check_length(row, clock)
        start, stop = row.start_seconds, row.stop_seconds
        if start is not None and stop is not None and stop > start:
            return clock.span(start, stop)
        if stop is not None and start is not None and stop < start:
            raise _Failure("invalid_range", f"{start} s to {stop} s: the end lies before the start")
        if not self._may_be_point(name):
            raise _Failure("no_end", f"{name!r} lasts, but the row gives only one moment")
        middle = row.first_frame if start is None else clock.frame_at(start)
        assert middle is not None
        self.extended += 1
        return clock.around(middle, self.point_seconds)

    def _may_be_point(self, name: str) -> bool:
        actions = self.project.actions
        return name in actions.names and actions[name].kind is ActionKind.POINT

    def report(self) -> ImportReport:
        """The outcome."""
        if self.extended:
            text = f"{self.extended} point events were given {self.point_seconds} s each"
            self.notes[f"{text}, around their moment"] = None
        return ImportReport(
            formats=self.formats,
            events=self.num_events,
            added=dict(sorted(self.added.items())),
            present=dict(sorted(self.present.items())),
            background=self.background,
            videos=self.videos,
            problems=tuple(sorted(self.problems, key=lambda p: (p.file, p.line))),
            notes=tuple(self.notes),
            without_rows=tuple(v.key for v in self.project.videos() if v not in self.events),
        )


def _same(label: str) -> str:
    """What two spellings of a label have in common; a label of signs alone is compared as is."""
    return normalized(label) or label.strip()


def _check_length(row: EventRow, clock: Clock) -> None:
    """Refuse events of an observation that goes on in further videos."""
    observed = row.observed_seconds
    if observed is not None and observed > clock.duration_seconds + _SAME_LENGTH_SECONDS:
        raise _Failure(
            "invalid_range",
            f"the observation lasts {observed:g} s, the video {clock.duration_seconds:.3f} s: it "
            "holds several videos, and the table does not say where each starts. Export it with "
            "BORIS 8, or make one observation per video",
        )
