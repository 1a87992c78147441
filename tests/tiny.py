"""Small labelled projects whose actions can be told from colour alone, and a detector to match."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Bout, Box, Interval
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detection
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.training.config import TrainConfig
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.writer import VideoWriter

ACTIONS = load_actions()
GROOMING, TWITCH = ACTIONS.names
FPS, NUM_FRAMES, SIDE = 10.0, 80, 64
DATASET = "cohort/day1"
# name -> (action, first frame, frame after the last)
Labels = Mapping[str, Sequence[tuple[str, int, int]]]

SEVEN: Labels = {
    "a.mp4": [(GROOMING, 10, 40), (TWITCH, 60, 63)],
    "b.mp4": [(GROOMING, 30, 55), (TWITCH, 5, 8)],
    "c.mp4": [(GROOMING, 45, 75), (TWITCH, 20, 22)],
    "d.mp4": [(GROOMING, 0, 25), (TWITCH, 50, 53)],
    "e.mp4": [(GROOMING, 20, 45), (TWITCH, 70, 73)],
    "f.mp4": [(GROOMING, 50, 80), (TWITCH, 30, 33)],
    "g.mp4": [],
}
COLORS = {GROOMING: (220, 60, 60), TWITCH: (60, 60, 230)}

TRAIN = TrainConfig(
    model="vit_tiny",
    num_frames=4,
    sampling_rate=1,
    input_size=32,
    epochs=2,
    samples_per_epoch=24,
    batch_size=8,
    lr=0.03,
    warmup_epochs=0.5,
    layer_decay=1.0,
    drop_path=0.1,
    val_interval=1,
    val_windows_interval=0,
    num_workers=0,
)


def bouts(labels: Iterable[tuple[str, int, int]]) -> tuple[Bout, ...]:
    return tuple(Bout(Interval(start, stop), action) for action, start, stop in labels)


def frame(index: int, labels: Iterable[tuple[str, int, int]], *, seed: int) -> NDArray[np.uint8]:
    """Grey with a moving stripe; the colour of the action where one goes on."""
    color = (120, 120, 120)
    for action, start, stop in labels:
        if start <= index < stop:
            color = COLORS[action]
    frame_HWC = np.full((SIDE, SIDE, 3), color, dtype=np.uint8)
    frame_HWC[:, (3 * index + seed) % SIDE] = 20
    return frame_HWC


def write_video(
    path: Path,
    labels: Sequence[tuple[str, int, int]] = (),
    *,
    num_frames: int = NUM_FRAMES,
    fps: float = FPS,
    times: Sequence[float] | None = None,
    seed: int | None = None,
) -> Path:
    if seed is None:
        seed = int(hashlib.sha256(path.name.encode()).hexdigest()[:4], 16)
    with VideoWriter(path, width=SIDE, height=SIDE, fps=fps, preset="ultrafast") as out:
        for index in range(num_frames):
            out.write(
                frame(index, labels, seed=seed), None if times is None else float(times[index])
            )
    return path


def annotate(
    project: LocalProject,
    name: str,
    labels: Sequence[tuple[str, int, int]],
    *,
    dataset: str = DATASET,
    num_frames: int = NUM_FRAMES,
    ignored: Sequence[Interval] = (),
    tags: Sequence[ProjectTag] = (),
    video_tags: Sequence[ProjectTag] = (),
    provenance: Mapping[str, object] | None = None,
) -> None:
    annotation = VideoAnnotation(
        num_frames=num_frames,
        height=SIDE,
        width=SIDE,
        bouts=bouts(labels),
        ignored=tuple(ignored),
        tags=tuple(tags),
        video_tags=tuple(video_tags),
        provenance=provenance or {},
    )
    project.write(dataset, name, annotation)


def add_video(
    project: LocalProject,
    name: str,
    labels: Sequence[tuple[str, int, int]],
    *,
    dataset: str = DATASET,
) -> None:
    """Write a video into a project together with its labels."""
    write_video(project.video(dataset, name).video_path, labels)
    annotate(project, name, labels, dataset=dataset)


def write_project(root: Path, labels: Labels = SEVEN) -> LocalProject:
    project = LocalProject.create(root, actions=ACTIONS)
    for name, events in labels.items():
        add_video(project, name, events)
    return project


def write_training_data(root: Path, labels: Labels = SEVEN) -> Path:
    """Preprocess a project of these videos; the Training Data project."""
    write_project(root / "input", labels)
    preprocess(
        root / "input",
        root / "data",
        actions=ACTIONS,
        config=PreprocessConfig(detect_every=20),
        detector=BoxDetector(),
    )
    return root / "data"


class BoxDetector:
    """The same box in every frame; counts the frames it was asked for."""

    def __init__(self, *, found: bool = True) -> None:
        self.found = found
        self.frames = 0

    @property
    def fingerprint(self) -> str:
        return f"box-{self.found}"

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        pass

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        self.frames += len(frames_NHWC)
        box = [Detection(Box(12, 8, 52, 56), 0.9)] if self.found else []
        return [box for _ in frames_NHWC]


def snapshot(root: Path, *, exclude: Iterable[str] = ()) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative path."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not any(name.startswith(part) for part in exclude):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def modified(root: Path) -> dict[str, int]:
    """Modification time in ns of every file below a folder, but for the state of the runs."""
    return {
        path.relative_to(root).as_posix(): path.stat().st_mtime_ns
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "lock"
    }
