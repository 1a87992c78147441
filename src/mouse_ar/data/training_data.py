"""A Training Data project as training and evaluation read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import fingerprint
from mouse_ar.core.types import Ethogram, Interval, Track
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.local_project import LocalProject, ProjectVideo
from mouse_ar.video.probe import probe

__all__ = ["TrainingData", "VideoRecord", "open_training_data"]

# The earlier apps kept the class datasets below this one.
_NESTED_TRAIN = "train"


@dataclass(frozen=True, eq=False)
class VideoRecord:
    """A clip or a full-length video with everything known about it.

    Args:
        key: ``dataset/name`` in the Training Data project.
        dataset: class dataset of a clip, or ``val`` / ``test``.
        path: the file.
        source: group of the video it was made from, else its key; clips of one source belong
            together.
        width: in pixels.
        height: in pixels.
        ethogram: bouts in its own frames.
        track: mouse boxes in its own frames (all empty where there are none).
        ignored: frames neither trained on nor scored.
    """

    key: str
    dataset: str
    path: Path
    source: str
    width: int
    height: int
    ethogram: Ethogram
    track: Track
    ignored: tuple[Interval, ...] = ()

    @property
    def num_frames(self) -> int:
        """Frames of the file."""
        return self.ethogram.num_frames

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return self.ethogram.fps


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Clips to train on and full-length videos to choose and judge the model with.

    Args:
        clips: of the class datasets.
        val: choose the checkpoint and fit the decoding; may be empty.
        test: judge the result.
        fingerprint: identifies the contents.
    """

    clips: tuple[VideoRecord, ...]
    val: tuple[VideoRecord, ...]
    test: tuple[VideoRecord, ...]
    fingerprint: str


def open_training_data(path: Path, *, actions: ActionSet) -> TrainingData:
    """Read a Training Data project from disk.

    Raises:
        FileNotFoundError: no project there.
        ValueError: it holds no clips of any class, with what was found instead.
    """
    project = LocalProject.open(path, actions=actions)
    parts: dict[str, list[VideoRecord]] = {"clips": [], "val": [], "test": []}
    for video in project.videos():
        dataset = video.dataset
        if dataset.startswith(f"{_NESTED_TRAIN}/"):
            dataset = dataset.split("/", 1)[1]
        if dataset in actions.datasets:
            part = "clips"
        elif dataset.split("/")[0] in {"val", "test"}:
            part = dataset.split("/")[0]
        else:
            continue
        parts[part].append(_record(project, video, dataset=dataset))
    if not any(parts.values()):
        raise ValueError(
            f"{path} holds no training clips: expected datasets {list(actions.datasets)}, got "
            f"{project.datasets()}. Run `mouse-ar preprocess` first, or check actions.yaml."
        )
    return TrainingData(
        clips=tuple(parts["clips"]),
        val=tuple(parts["val"]),
        test=tuple(parts["test"]),
        fingerprint=_fingerprint(r for records in parts.values() for r in records),
    )


def _record(project: LocalProject, video: ProjectVideo, *, dataset: str) -> VideoRecord:
    annotation = project.read(video)
    stored = annotation.provenance
    entry = stored.get("entry", {})
    fps = float(stored["fps"]) if "fps" in stored else probe(video.video_path).fps
    return VideoRecord(
        key=video.key,
        dataset=dataset,
        path=video.video_path,
        source=str(entry.get("group") or entry.get("key") or video.key),
        width=annotation.width,
        height=annotation.height,
        ethogram=annotation.ethogram(fps),
        track=_track(annotation),
        ignored=annotation.ignored,
    )


def _track(annotation: VideoAnnotation) -> Track:
    if annotation.track is not None:
        return annotation.track
    return Track.from_boxes(annotation.num_frames, {})


def _fingerprint(records: Iterable[VideoRecord]) -> str:
    return fingerprint(
        [
            [
                r.key,
                r.num_frames,
                r.fps,
                [r.width, r.height],
                [[b.action, *b.interval.inclusive] for b in r.ethogram.bouts],
                [i.inclusive for i in r.ignored],
            ]
            for r in records
        ]
    )
