"""A second annotator's bouts of the same videos, from a project or from tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.types import Bout, Ethogram, Interval
from mouse_ar.data.annotations import IGNORED_TAG, ProjectTag, VideoAnnotation
from mouse_ar.data.clock import Timing
from mouse_ar.data.import_report import ImportReport
from mouse_ar.data.importers import import_annotations, read_table
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.matching import VideoMatcher
from mouse_ar.data.project_layout import ProjectVideo
from mouse_ar.data.tables import Units
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.video.probe import probe

__all__ = ["SecondLabels", "read_second_labels"]

# Rows of a table that say something else than what can be scored, but do not make it doubtful.
_HARMLESS = {"unknown_video", "cut_range"}
_MOST_NAMED = 5
_OTHERS = "Labels that are to count for nothing are given with --other-label."


@dataclass(frozen=True, eq=False)
class SecondLabels:
    """What a second annotator saw.

    Args:
        ethograms: bouts by key of the video.
        ignored: frames this annotator is not sure about, by key.
        missing: keys of the videos that were not labelled.
        notes: what the reader should know of the labels.
    """

    ethograms: Mapping[str, Ethogram]
    ignored: Mapping[str, tuple[Interval, ...]]
    missing: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_second_labels(
    source: Path,
    records: Sequence[VideoRecord],
    *,
    actions: ActionSet,
    other_labels: Iterable[str] = (),
    units: Units = "auto",
) -> SecondLabels:
    """Read the bouts of some videos as another person labelled them.

    Videos are found by the name they had when they were prepared, or by the one they have now;
    see :class:`~mouse_ar.data.matching.VideoMatcher`. A video of a project counts as labelled
    even without a tag; one that no row of a table names does not: a row of the background's
    label says that nothing was seen.

    Args:
        source: a local project in Supervisely video format, or a table as
            :func:`~mouse_ar.data.importers.import_annotations` reads.
        records: the videos.
        actions: what may be labelled.
        other_labels: further labels of the source, which count for nothing.
        units: what start and end of a table hold, where their columns do not say.

    Raises:
        FileNotFoundError: when there is no such project or table.
        ValueError: when none of the videos is in it, a label is not known, a video has another
            number of frames, or rows cannot be read.
    """
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist: expected a project or a CSV table.")
    known = _with_others(actions, other_labels)
    if source.is_dir():
        annotations, notes = _from_project(source, records, known)
    else:
        annotations, notes = _from_table(source, records, known, units)
    if not annotations:
        names = " or ".join(name for record in records[:1] for name in _names(record))
        raise ValueError(
            f"{source} has labels of none of the {len(records)} videos: expected names such as "
            f"{names}."
        )
    return SecondLabels(
        ethograms={
            record.key: _ethogram(annotations[record.key], record.fps, actions)
            for record in records
            if record.key in annotations
        },
        ignored={key: annotation.ignored for key, annotation in annotations.items()},
        missing=tuple(record.key for record in records if record.key not in annotations),
        notes=tuple(notes),
    )


def _ethogram(annotation: VideoAnnotation, fps: float, actions: ActionSet) -> Ethogram:
    bouts = tuple(bout for bout in annotation.bouts if bout.action in actions.names)
    return Ethogram(annotation.num_frames, fps, bouts)


def _with_others(actions: ActionSet, labels: Iterable[str]) -> ActionSet:
    """The actions and, as if they were some, labels that are none."""
    others = []
    for label in dict.fromkeys(labels):
        owner = actions.resolve(label)
        if owner is not None:
            raise ValueError(
                f"{label!r} means {owner}, which is scored: it cannot be left out as another label."
            )
        others.append(Action(label, label.replace("/", "-"), ActionKind.POINT))
    return ActionSet((*actions.actions, *others), background=actions.background)


def _names(record: VideoRecord) -> list[str]:
    """Names by which a video may be called, the original one first."""
    return list(dict.fromkeys(name for name in (record.origin, record.key) if name))


def _from_project(
    path: Path, records: Sequence[VideoRecord], actions: ActionSet
) -> tuple[dict[str, VideoAnnotation], list[str]]:
    project = LocalProject.open(path, actions=actions, with_files=False)
    matcher = VideoMatcher(project.videos())
    annotations: dict[str, VideoAnnotation] = {}
    owners: dict[ProjectVideo, str] = {}
    notes: list[str] = []
    for record in records:
        video = _find(matcher, record, path)
        if video is None:
            continue
        if video in owners:
            raise ValueError(
                f"{path}: {video.key} fits both {owners[video]} and {record.key}. Keep the "
                "datasets of the videos as they are in the labelled project."
            )
        owners[video] = record.key
        annotation = project.read(video)
        _check(annotation, record, f"{path}: {video.key}", actions)
        annotations[record.key] = annotation
        notes += [f"{video.key}: {problem}" for problem in annotation.problems]
        if record.ethogram.bouts and not annotation.bouts:
            notes.append(
                f"{video.key} has no action by the second annotator: taken as nothing seen. If it "
                "was not looked at, remove it from that project."
            )
    return annotations, notes


def _find(matcher: VideoMatcher, record: VideoRecord, path: Path) -> ProjectVideo | None:
    for name in _names(record):
        match = matcher.find(name)
        if match.ambiguous:
            raise ValueError(
                f"{path}: {name} may be any of {', '.join(match.candidates)}. Keep the datasets "
                "of the videos as they are in the labelled project."
            )
        if match.video is not None:
            return match.video
    return None


def _check(
    annotation: VideoAnnotation, record: VideoRecord, where: str, actions: ActionSet
) -> None:
    if annotation.num_frames != record.num_frames:
        raise ValueError(
            f"{where} has {annotation.num_frames} frames, {record.key} {record.num_frames}: both "
            "annotators must have labelled the same file."
        )
    if annotation.unknown_tags:
        raise ValueError(
            f"{where}: {', '.join(map(repr, annotation.unknown_tags))} is no action; known are "
            f"{', '.join(actions.classes)} and their aliases. {_OTHERS}"
        )


class _Sheet:
    """Stands for a project without a label: tables are imported into it."""

    def __init__(self, records: Sequence[VideoRecord], actions: ActionSet) -> None:
        self.actions = actions
        self.bouts: dict[str, list[Bout]] = {record.key: [] for record in records}
        self.ignored: dict[str, list[Interval]] = {record.key: [] for record in records}
        self._of: dict[ProjectVideo, VideoRecord] = {}
        for record in records:
            for name in _names(record):
                dataset, _, file = name.rpartition("/")
                self._of[ProjectVideo(dataset, file, Path(dataset))] = record
        self._files = {video.video_path: record.path for video, record in self._of.items()}

    def videos(self) -> list[ProjectVideo]:
        """Every video under each of its names."""
        return sorted(self._of)

    def record(self, video: ProjectVideo) -> VideoRecord:
        """The video of that name."""
        return self._of[video]

    def timing(self, path: Path) -> Timing:
        """Timestamps of the video of that name."""
        return probe(self._files[path])

    def read(self, video: ProjectVideo) -> VideoAnnotation:
        """What the tables said so far."""
        record = self._of[video]
        return VideoAnnotation(
            num_frames=record.num_frames,
            height=record.height,
            width=record.width,
            bouts=tuple(self.bouts[record.key]),
            ignored=tuple(self.ignored[record.key]),
        )

    def add_tags(self, video: ProjectVideo, tags: Iterable[ProjectTag]) -> int:
        """Keep what a table says of a video."""
        key, added = self._of[video].key, list(tags)
        for tag in added:
            assert tag.interval is not None
            if tag.name == IGNORED_TAG:
                self.ignored[key].append(tag.interval)
            else:
                self.bouts[key].append(Bout(tag.interval, tag.name))
        return len(added)


def _from_table(
    path: Path, records: Sequence[VideoRecord], actions: ActionSet, units: Units
) -> tuple[dict[str, VideoAnnotation], list[str]]:
    sheet = _Sheet(records, actions)
    _check_names(path, sheet, units)
    report = import_annotations(sheet, [path], units=units, read_timing=sheet.timing)
    doubtful = [problem for problem in report.problems if problem.kind not in _HARMLESS]
    if doubtful:
        shown = "; ".join(f"row {p.line}: {p.text}" for p in doubtful[:_MOST_NAMED])
        raise ValueError(f"{path}: {len(doubtful)} rows cannot be used: {shown}. {_OTHERS}")
    named = [video for video in sheet.videos() if video.key not in report.without_rows]
    return {sheet.record(video).key: sheet.read(video) for video in named}, _notes(report)


def _check_names(path: Path, sheet: _Sheet, units: Units) -> None:
    """Refuse a video called by paths that contradict each other: one of them is another video."""
    matcher = VideoMatcher(sheet.videos())
    longest: dict[ProjectVideo, str] = {}
    for row in read_table(path, format="auto", units=units).events:
        video = matcher.find(row.video).video
        if video is None:
            continue
        known, new = (_folders(name) for name in (longest.get(video, ""), row.video))
        if any(one != other for one, other in zip(known, new, strict=False)):
            raise ValueError(
                f"{path}: {longest[video]!r} and {row.video!r} both fit {video.key}. Name videos "
                "as in the labelled project, with their datasets."
            )
        if len(new) >= len(known):
            longest[video] = row.video


def _folders(name: str) -> list[str]:
    """From the file upwards."""
    return name.casefold().replace("\\", "/").split("/")[-2::-1]


def _notes(report: ImportReport) -> list[str]:
    others = len({p.text for p in report.problems if p.kind == "unknown_video"})
    cut = [f"row {p.line}: {p.text}" for p in report.problems if p.kind == "cut_range"]
    told = [f"{others} further videos of the table are not among these."] if others else []
    return [*report.notes, *told, *cut]
