"""A Training Data project as training and evaluation read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
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
# What preprocessing writes as the kind of everything it makes.
_KIND = "training-data"


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
        made_from: hash of the source file and fingerprint of the settings that made it, if known.
        origin: key of the video it was made from, in the project of that video; empty if unknown.
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
    made_from: tuple[str, str] = ("", "")
    origin: str = ""

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


def open_training_data(
    path: Path,
    *,
    actions: ActionSet,
    fps_of: Callable[[str], float | None] | None = None,
) -> TrainingData:
    """Read a Training Data project from disk.

    Args:
        path: of the project.
        actions: the classes to expect.
        fps_of: given for a mirror without video files: frame rate of a video by its key, as the
            earlier apps did not store it with the clips.

    Raises:
        FileNotFoundError: no project there.
        ValueError: it holds nothing to train on or to evaluate with, with what was found instead,
            or it was made with other actions.
    """
    project = LocalProject.open(path, actions=actions, with_files=fps_of is None)
    parts: dict[str, list[VideoRecord]] = {"clips": [], "val": [], "test": []}
    for video in project.videos():
        dataset = video.dataset.removeprefix(f"{_NESTED_TRAIN}/")
        part = "clips" if dataset in actions.datasets else dataset.split("/")[0]
        annotation = project.read(video)
        _check_actions(video, annotation, actions=actions, part=part)
        if part in parts:
            parts[part].append(_record(video, annotation, dataset=dataset, fps_of=fps_of))
    if not any(parts.values()):
        raise ValueError(
            f"{path} holds no training clips and no val or test videos: expected datasets "
            f"{list(actions.datasets)}, got {project.datasets()}. Run `mouse-ar preprocess` "
            "first, or check actions.yaml."
        )
    return TrainingData(
        clips=tuple(parts["clips"]),
        val=tuple(parts["val"]),
        test=tuple(parts["test"]),
        fingerprint=_fingerprint(r for records in parts.values() for r in records),
    )


def _check_actions(
    video: ProjectVideo, annotation: VideoAnnotation, *, actions: ActionSet, part: str
) -> None:
    """Refuse what preprocessing made with other actions: their frames would pass for idle."""
    if annotation.provenance.get("kind") != _KIND or part in {"val", "test"}:
        return  # whole videos keep the tags of their lab, known or not
    strange = [video.dataset] if part != "clips" else list(annotation.unknown_tags)
    if strange:
        raise ValueError(
            f"{video.key} was made with other actions: {', '.join(strange)} is none of "
            f"{', '.join(actions.datasets)}. Pass the same --actions file as to preprocess."
        )


def _record(
    video: ProjectVideo,
    annotation: VideoAnnotation,
    *,
    dataset: str,
    fps_of: Callable[[str], float | None] | None,
) -> VideoRecord:
    stored = annotation.provenance
    entry = stored.get("entry", {})
    fps = float(stored["fps"]) if "fps" in stored else fps_of(video.key) if fps_of else None
    if fps is None:
        fps = probe(video.video_path).fps
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
        made_from=(str(entry.get("source_sha256", "")), str(entry.get("settings", ""))),
        origin=str(entry.get("key", "")),
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
                hashlib.sha256(r.track.boxes_T4.tobytes()).hexdigest(),
                list(r.made_from),
            ]
            for r in records
        ]
    )
