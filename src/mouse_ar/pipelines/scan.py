"""Look through an Input Project: what is there, what is labelled, what cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mouse_ar.core.manifest import fingerprint
from mouse_ar.data.annotations import REVIEW_TAG, REVIEWED_TAG, VideoAnnotation
from mouse_ar.data.local_project import LocalProject, ProjectVideo
from mouse_ar.pipelines.media import Hashes
from mouse_ar.video.failures import VIDEO_FAILURES

__all__ = ["Scan", "ScannedVideo", "scan_project"]

PREDICTION = "prediction"


@dataclass(frozen=True)
class ScannedVideo:
    """One usable video of the input."""

    video: ProjectVideo
    annotation: VideoAnnotation
    sha256: str
    group: str | None

    @property
    def key(self) -> str:
        """``dataset/name``."""
        return self.video.key

    @property
    def labels(self) -> str:
        """Fingerprint of the annotation's tags."""
        tags = [*self.annotation.tags, *self.annotation.video_tags]
        return fingerprint(
            [
                [[b.action, *b.interval.inclusive] for b in sorted(self.annotation.bouts)],
                [i.inclusive for i in self.annotation.ignored],
                [[t.name, t.interval and t.interval.inclusive, t.value] for t in tags],
            ]
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Bouts per action."""
        return Counter(bout.action for bout in self.annotation.bouts)


@dataclass
class Scan:
    """What was found.

    Args:
        videos: usable ones by key.
        failures: cause by key of those that could not be read.
        skipped: predictions that no reviewer has marked yet.
        unknown_tags: tag names that are no configured action, with their number of videos.
        problems: oddities in annotations, for the report.
    """

    videos: dict[str, ScannedVideo] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    unknown_tags: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def scan_project(
    project: LocalProject,
    *,
    media: Hashes,
    groups: Mapping[str, str],
    unreadable: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scan:
    """Read every annotation and hash every file of a project.

    A prediction (its provenance says so) counts only when a reviewer has put the tag
    ``reviewed`` on the video.

    Args:
        project: the Input Project, opened with the actions to look for.
        media: knows the content of its videos.
        groups: group of a video by key, where given.
        unreadable: cause by key of videos that are failures from the start.
        progress: called with (videos done, videos in all).
    """
    scan = Scan()
    videos = project.videos()
    scan.failures |= {video.key: problem for video, problem in project.incomplete()}
    scan.failures |= unreadable or {}
    for number, video in enumerate(videos):
        if progress is not None:
            progress(number, len(videos))
        if video.key in scan.failures:
            continue
        try:
            annotation = project.read(video)
            sha256 = media.sha256(video.key, video.video_path)
        except VIDEO_FAILURES as error:
            scan.failures[video.key] = str(error)
            continue
        # What a reviewer was asked to look at is no label, and changes nothing that is made of it.
        tags = tuple(tag for tag in annotation.tags if tag.name.casefold() != REVIEW_TAG)
        annotation = replace(annotation, tags=tags)
        predicted = annotation.provenance.get("kind") == PREDICTION
        if predicted and not annotation.has_video_tag(REVIEWED_TAG):
            scan.skipped.append(video.key)
            continue
        scan.unknown_tags.update(set(annotation.unknown_tags))
        scan.problems += [f"{video.key}: {problem}" for problem in annotation.problems]
        scan.videos[video.key] = ScannedVideo(video, annotation, sha256, groups.get(video.key))
    if progress is not None:
        progress(len(videos), len(videos))
    return scan
