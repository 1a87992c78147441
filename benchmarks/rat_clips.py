"""The clips of rats as Training Data, made by the commands that a lab uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from real_data import GROOMING, PREPROCESS, Video, make_project, mouse_ar, read_videos, write_groups

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import ClipSpec
from mouse_ar.core.windows import window_at
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.stream import crop_window, window_crop
from mouse_ar.data.training_data import VideoRecord, open_training_data
from mouse_ar.video.reader import open_video

__all__ = ["ACTIONS", "RatClips", "clip_window", "make_clips", "training_project"]

ACTIONS = ActionSet((load_actions()[GROOMING],))


@dataclass(frozen=True)
class RatClips:
    """Clips of the Training Data project with what the data say of their source.

    Args:
        records: the clips.
        videos: the source of each.
    """

    records: tuple[VideoRecord, ...]
    videos: tuple[Video, ...]

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def grooming_N(self) -> np.ndarray:
        """Whether each is grooming."""
        return np.array([video.label == GROOMING for video in self.videos])

    @cached_property
    def group_N(self) -> np.ndarray:
        """Recording (cage and date) of each."""
        return np.array([video.group for video in self.videos])

    @cached_property
    def date_N(self) -> np.ndarray:
        """Recording date of each."""
        return np.array([video.fold for video in self.videos])

    @cached_property
    def cage_N(self) -> np.ndarray:
        """Cage of each."""
        return np.array([video.cage for video in self.videos])

    def part(self, keep_N: np.ndarray) -> RatClips:
        """The clips where ``keep_N`` is true."""
        chosen = np.flatnonzero(keep_N)
        return RatClips(
            tuple(self.records[i] for i in chosen), tuple(self.videos[i] for i in chosen)
        )


def make_clips(data: Path, out: Path) -> tuple[Path, RatClips]:
    """Import and preprocess all labelled clips of rats; what is there already is used again.

    Returns:
        The Training Data project, and its clips.
    """
    videos = read_videos(data)
    rats = [video for video in videos.values() if video.fold and video.label]
    target = out / "data"
    if not (out / "made").is_file():
        project = make_project(data, out, rats)
        groups = write_groups(out / "groups.csv", rats, test=[])
        # Every clip is wanted, not as many idle ones as of grooming.
        mouse_ar(
            "preprocess", project, target, "--groups", groups, "--test-videos", 0,
            sets=(*PREPROCESS, "idle_ratio=10"),
        )  # fmt: skip
    records = open_training_data(target, actions=load_actions()).clips
    if len(records) != len(rats):
        raise RuntimeError(f"{target} holds {len(records)} clips of {len(rats)}: see above.")
    (out / "made").touch()
    made = LocalProject.open(target)
    entries = [
        made.read(made.video(*record.key.split("/"))).provenance["entry"] for record in records
    ]
    return target, RatClips(records, tuple(videos[str(entry["key"])] for entry in entries))


def training_project(source: Path, target: Path, *, keep: Callable[[str], bool]) -> Path:
    """A Training Data project with some of another's clips.

    Args:
        source: the project with all of them.
        target: the new one; the files are linked.
        keep: whether it has the clip of that key.
    """
    whole = LocalProject.open(source, actions=ACTIONS)
    part = LocalProject.create(target, actions=ACTIONS)
    for video in whole.videos():
        if not keep(video.key):
            continue
        annotation = whole.read(video)
        entry = dict(annotation.provenance["entry"])
        # Clips of one source cannot be spared for validation: all of them are trained on.
        part.add_video(video.dataset, video.name, video.video_path)
        part.write(
            video.dataset,
            video.name,
            annotation,
            provenance={**annotation.provenance, "entry": {**entry, "group": "rats"}},
        )
    return target


def clip_window(record: VideoRecord, *, spec: ClipSpec) -> np.ndarray:
    """The one window of a clip of 16 frames, cut as in training: uint8 (T, H, W, 3)."""
    window = window_at(0, num_frames=record.num_frames, spec=spec)
    crop = window_crop(
        window, track=record.track, spec=spec, width=record.width, height=record.height
    )
    with open_video(record.path) as reader:
        frames = list(reader.get_batch(list(window.indices)))
    return crop_window(frames, window=window, crop=crop, size=spec.input_size)
