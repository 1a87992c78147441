"""What an Input Project holds, from its annotations alone: no video is fetched for it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import merge_intervals
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.plan import scanned_ethogram
from mouse_ar.pipelines.scan import ScannedVideo, scan_project
from mouse_ar.sly.mirror import lies_in, mirror_annotations
from mouse_ar.sly.names import dataset_to_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.videos import RemoteVideo
from mouse_ar.video.probe import FrameIndex, VideoMeta

__all__ = ["ActionCount", "InputSummary", "read_input", "server_meta"]

# Only where the instance says nothing about time; the run measures it.
_FALLBACK_FPS = 25.0
_UNREADABLE = "its annotation on the instance cannot be read: open it in the labeler and save it"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ActionCount:
    """How much of one action is labelled.

    Args:
        action: its name.
        bouts: number of bouts.
        videos: videos with at least one.
        seconds: duration of all bouts together.
    """

    action: str
    bouts: int
    videos: int
    seconds: float


@dataclass(frozen=True)
class InputSummary:
    """The usable videos of a project, or of some of its datasets, and what is not usable.

    Args:
        actions: that were looked for.
        datasets: all of the project in the names of the mirror, with their number of videos.
        videos: usable ones by key.
        remote: all of them as the instance knows them, by key.
        skipped: predictions that nobody has marked as reviewed.
        failures: cause by key of videos whose annotation cannot be read.
    """

    actions: ActionSet
    datasets: Mapping[str, int]
    videos: Mapping[str, ScannedVideo]
    remote: Mapping[str, RemoteVideo]
    skipped: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)

    def within(self, datasets: Collection[str]) -> InputSummary:
        """What of it lies in these datasets or below; all, without any."""
        return InputSummary(
            actions=self.actions,
            datasets=self.datasets,
            videos={k: v for k, v in self.videos.items() if lies_in(k, datasets)},
            remote={k: v for k, v in self.remote.items() if lies_in(k, datasets)},
            skipped=tuple(key for key in self.skipped if lies_in(key, datasets)),
            failures={k: v for k, v in self.failures.items() if lies_in(k, datasets)},
        )

    @property
    def counts(self) -> list[ActionCount]:
        """Each action that was looked for, also those that do not occur."""
        bouts: Counter[str] = Counter()
        videos: Counter[str] = Counter()
        seconds = dict.fromkeys(self.actions.names, 0.0)
        for key, scanned in self.videos.items():
            fps = self.meta(key).fps
            videos.update(set(scanned.counts))
            bouts.update(scanned.counts)
            for bout in scanned.annotation.bouts:
                seconds[bout.action] += bout.interval.length / fps
        return [ActionCount(n, bouts[n], videos[n], seconds[n]) for n in self.actions.names]

    @property
    def unknown_tags(self) -> dict[str, int]:
        """Tags with a frame range that are no action, with their number of videos."""
        found: Counter[str] = Counter()
        for scanned in self.videos.values():
            found.update(set(scanned.annotation.unknown_tags))
        return dict(sorted(found.items()))

    @property
    def problems(self) -> list[str]:
        """Oddities in annotations, one line each."""
        return [
            f"{key}: {problem}"
            for key, scanned in sorted(self.videos.items())
            for problem in scanned.annotation.problems
        ]

    def meta(self, key: str) -> VideoMeta:
        """What the instance says of a video, in the form of a probe."""
        return server_meta(self.remote[key], num_frames=self.videos[key].annotation.num_frames)

    def frames(self, keys: Collection[str]) -> dict[str, int]:
        """Frames of each class in these videos; idle is what bears no label."""
        found: Counter[str] = Counter(dict.fromkeys(self.actions.classes, 0))
        for key in keys:
            ethogram = scanned_ethogram(self.videos[key], self.meta(key))
            labelled = [bout.interval for bout in ethogram.bouts]
            for action in self.actions.names:
                intervals = [bout.interval for bout in ethogram.of(action)]
                found[action] += sum(i.length for i in merge_intervals(intervals))
            busy = sum(i.length for i in merge_intervals(labelled))
            found[self.actions.background] += ethogram.num_frames - busy
        return dict(found)


def read_input(source: RemoteProject, folder: Path, *, progress: Progress) -> InputSummary:
    """Read all annotations of a project.

    Args:
        source: the Input Project, opened with the actions to look for.
        folder: for a mirror without videos; brought up to date where it is there already.
        progress: called with (what, done, total).

    Raises:
        TransferError: the instance failed.
    """
    remote = mirror_annotations(source, folder, progress=progress).videos
    paths = {number: dataset_to_local(path) for path, number in source.datasets().items()}
    here = Counter(video.dataset_id for video in remote.values())
    scan = scan_project(
        LocalProject.open(folder, actions=source.actions, with_files=False),
        media=_HashesOnly(remote),
        groups={},
    )
    seen = {*scan.videos, *scan.failures, *scan.skipped}
    return InputSummary(
        actions=source.actions,
        datasets={path: here[number] for number, path in sorted(paths.items(), key=_by_path)},
        videos=scan.videos,
        remote=remote,
        skipped=tuple(sorted(scan.skipped)),
        failures={**scan.failures, **dict.fromkeys(sorted(set(remote) - seen), _UNREADABLE)},
    )


def server_meta(video: RemoteVideo, *, num_frames: int = 0) -> VideoMeta:
    """A probe made of what the instance says: good enough to plan with, not to cut with.

    Args:
        video: as listed.
        num_frames: where the instance does not say.
    """
    frames = video.frames_count or num_frames
    facts = video.info.get("fileMeta") or {}
    times = facts.get("framesToTimecodes") or []
    duration = float(facts.get("duration") or 0)
    fps = frames / duration if frames and duration > 0 else _FALLBACK_FPS
    if len(times) > 1 and times[-1] > times[0]:
        fps = (len(times) - 1) / (float(times[-1]) - float(times[0]))
    nothing = np.zeros(0, dtype=np.int64)
    return VideoMeta(
        path=Path(video.name),
        codec="",
        pixel_format="",
        width=video.frame_width,
        height=video.frame_height,
        rotation=0,
        num_frames=frames,
        timestamps_seconds=np.arange(frames) / fps,
        fps=fps,
        is_vfr=False,
        duration_seconds=frames / fps,
        warnings=(),
        is_damaged=False,
        frame_index=FrameIndex(pts_T=nothing, keyframes=nothing),
    )


class _HashesOnly:
    """The :class:`~mouse_ar.pipelines.media.Hashes` of an instance; nothing is fetched for them.

    Args:
        videos: by key.
    """

    def __init__(self, videos: Mapping[str, RemoteVideo]) -> None:
        self._videos = videos

    def sha256(self, key: str, path: Path) -> str:
        """As the instance tells it; for a linked video, whose bytes nobody has read, nothing."""
        video = self._videos[key]
        return base64.b64decode(video.hash).hex() if video.hash else ""


def _by_path(item: tuple[int, str]) -> str:
    return item[1]
