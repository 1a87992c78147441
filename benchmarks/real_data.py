"""The command line on real rodent video: import, preprocess, train, evaluate and infer.

    python benchmarks/real_data.py DATA OUT

DATA is laid out as its own README says. Every step is a ``mouse-ar`` command, printed as it runs;
a second call continues where the first one stopped. Two questions, each with its own training (a
third, how well clips of rats are told on a date never seen, is ``rat_grooming.py``):

B  Trained on all the rats: where does a mouse in a glass cylinder groom?
C  A timeline joined from rat clips, by a model that saw none of its recordings.

Only rows labelled Self-Grooming or idle count; all other frames of a video become ``uncertain``.
The tables are in OUT/B.md and OUT/C.md.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from sklearn.metrics import roc_auc_score

from mouse_ar.core.manifest import slug
from mouse_ar.core.types import Interval, merge_intervals
from mouse_ar.data.files import place_file, write_text
from mouse_ar.pipelines.results import load_scores
from mouse_ar.video.probe import probe

GROOMING = "Self-Grooming"
LABELS = (GROOMING, "idle")
RATS = "rat_homecage_clips"
TIMELINE = "derived/rat_timeline_concat.mp4"
# The timeline was joined from clips of every other recording day of either cage (found by
# comparing its frames with theirs), and from `normal` clips of unknown date.
NOT_IN_TIMELINE = "rat_cage2_6_23"
CYLINDER = "cylinder_31500"
NATURAL = (
    *(f"mouse_cylinder/cam{side}_31500.mp4" for side in "RUL"),
    "mouse_cylinder/camE_7000.mp4",
    "openfield_top/m3v1mp4.mp4",
    "edge/empty_chamber_no_mouse.wmv",
)
ODD = (
    "edge/dlc_vid2_200px_h264.mov",
    "edge/dlc_vid_h264_avi_nonmonotonic_pts.avi",
    "edge/m3v1mp4short_31frames_yuv444.mp4",
    "bottom_view_bsoid/hstacked/inactive_hstacked.mp4",
    "bottom_view_bsoid/mjpeg_avi/group6_example_4.avi",
    "bottom_view_bsoid/single/face_groom_p2.mp4",
)
PREPROCESS = ("short_side=360", "detect_every=2", "val_share=0")
TRAIN = (
    "model=vit_tiny",
    "sampling_rate=1",
    "input_size=64",
    "crop_padding=0.25",
    "epochs=12",
    "samples_per_epoch=384",
    "batch_size=16",
    "lr=0.032",
    "layer_decay=1.0",
    "drop_path=0.0",
    "warmup_epochs=1.0",
    "ema_decay=0.98",
    "reprob=0.0",
    "mixup_prob=0.0",
    "smoothing=0.0",
    "val_interval=4",
    "val_windows_interval=0",
    "num_workers=0",
)


@dataclass(frozen=True)
class Video:
    """One file of the data with what ``splits.csv`` and ``annotations.csv`` say of it."""

    file: str
    group: str
    fold: str
    labels: tuple[tuple[Interval, str], ...]

    @property
    def label(self) -> str | None:
        """The label of a clip that has only one and is sure."""
        names = {name for _, name in self.labels}
        return names.pop() if len(names) == 1 and names <= set(LABELS) else None

    @property
    def recording(self) -> str:
        """Cage, month, day and start time."""
        return PurePosixPath(self.file).stem.rpartition("_")[0]

    @property
    def cage(self) -> str:
        """``cage1`` or ``cage2``."""
        return self.recording.partition("_")[0]


def read_videos(data: Path) -> dict[str, Video]:
    """Every video of the data by its path."""
    labels: dict[str, list[tuple[Interval, str]]] = {}
    for row in _rows(data / "annotations.csv"):
        frames = Interval.from_inclusive(int(row["start_frame"]), int(row["end_frame_inclusive"]))
        labels.setdefault(row["file"], []).append((frames, row["project_label"]))
    return {
        row["file"]: Video(
            row["file"], row["group"], row["fold"], tuple(labels.get(row["file"], ()))
        )
        for row in _rows(data / "splits.csv")
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def stage(data: Path, folder: Path, videos: Iterable[Video]) -> None:
    """Put chosen videos and ``labels.csv`` into a folder, as a user would have them.

    A frame without a label may show anything: it becomes ``uncertain``, so that it is neither
    taken for idle nor scored.
    """
    lines = ["video,action,start_frame,end_frame"]
    for video in videos:
        place_file(data / video.file, folder / "videos" / video.file)
        known = [(frames, name) for frames, name in video.labels if name in LABELS]
        edges = [0, *(e for i in merge_intervals(i for i, _ in known) for e in (i.start, i.stop))]
        edges.append(probe(data / video.file).num_frames)
        gaps = [(Interval(a, b), "uncertain") for a, b in zip(edges[::2], edges[1::2]) if a < b]
        lines += [
            f"{video.file},{name},{frames.inclusive[0]},{frames.inclusive[1]}"
            for frames, name in sorted([*known, *gaps])
        ]
    write_text(folder / "labels.csv", "\n".join(lines) + "\n")


def write_groups(path: Path, videos: Iterable[Video], *, test: Iterable[Video]) -> Path:
    """The table for ``preprocess --groups``: groups, and what each video is used for."""
    held = {video.file for video in test}
    lines = ["file,group,split"]
    lines += [f"{v.file},{v.group},{'test' if v.file in held else 'train'}" for v in videos]
    write_text(path, "\n".join(lines) + "\n")
    return path


def mouse_ar(command: str, *arguments: object, sets: Iterable[str] = ()) -> None:
    """Run a command and say how long it took; a failed video does not end the run."""
    words = [command, *map(str, arguments), *(word for s in sets for word in ("--set", s))]
    print("$ mouse-ar", *words, flush=True)
    start = time.perf_counter()
    code = subprocess.run([sys.executable, "-m", "mouse_ar.cli", *words], check=False).returncode
    print(f"# exit {code}, {time.perf_counter() - start:.0f} s\n", flush=True)


def make_project(data: Path, folder: Path, videos: list[Video]) -> Path:
    """Stage videos and import their labels into a project."""
    stage(data, folder, videos)
    project = folder / "project"
    mouse_ar("import-annotations", folder / "videos", folder / "labels.csv", "--project", project)
    return project


def fit(
    project: Path, target: Path, folder: Path, videos: list[Video], *, test: list[Video]
) -> Path:
    """Preprocess, train and evaluate: returns the checkpoint.

    ``target`` ends up with exactly these videos; what an earlier part made of them and found in
    them is used again.
    """
    groups = write_groups(folder / "groups.csv", videos, test=test)
    mouse_ar(
        "preprocess", project, target, "--groups", groups, "--test-videos", 0, "--remove-deleted",
        sets=PREPROCESS,
    )  # fmt: skip
    checkpoint = folder / "run" / "checkpoints" / "best.safetensors"
    mouse_ar("train", target, folder / "run", sets=TRAIN)
    mouse_ar("evaluate", target, "--checkpoint", checkpoint, "--out", folder / "test")
    return checkpoint


def grooming_scores(folder: Path, video: Video) -> np.ndarray:
    """Grooming probability of each frame of a test video: float (T,)."""
    name = f"test/{slug(video.file)}{PurePosixPath(video.file).suffix}"
    return load_scores(folder / "test" / "scores" / f"{slug(name)}.npz")[0].of(GROOMING)


def natural_timelines(data: Path, out: Path, videos: Mapping[str, Video]) -> str:
    """Part B: rats to train on, a mouse in a cylinder to find bouts of; overlays of odd files."""
    chosen = [v for v in videos.values() if v.fold and v.label] + [videos[f] for f in NATURAL]
    test = [video for video in chosen if video.group == CYLINDER]
    folder = out / "natural"
    project = make_project(data, folder, chosen)
    checkpoint = fit(project, out / "data", folder, chosen, test=test)
    for file in [*NATURAL, *ODD]:
        place_file(data / file, folder / "to_annotate" / file)
    mouse_ar(
        "infer", folder / "to_annotate", folder / "predictions", "--checkpoint", checkpoint,
        "--detect-every", 4, "--overlay",
    )  # fmt: skip
    return (folder / "test" / "evaluation.md").read_text() + _frame_auc(folder, test)


def joined_timeline(data: Path, out: Path, videos: Mapping[str, Video]) -> str:
    """Part C: the timeline by a model of the one group that it has nothing of."""
    train = [v for v in videos.values() if v.group == NOT_IN_TIMELINE and v.label]
    test = [videos[TIMELINE]]
    folder = out / "timeline"
    project = make_project(data, folder, [*train, *test])
    fit(project, out / "data", folder, [*train, *test], test=test)
    return (folder / "test" / "evaluation.md").read_text() + _frame_auc(folder, test)


def _frame_auc(folder: Path, test: Iterable[Video]) -> str:
    lines = []
    for video in test:
        score_T = grooming_scores(folder, video)
        known_T = np.zeros(len(score_T), dtype=bool)
        truth_T = np.zeros(len(score_T), dtype=bool)
        for frames, name in video.labels:
            known_T[frames.start : frames.stop] = name in LABELS
            truth_T[frames.start : frames.stop] = name == GROOMING
        auc = roc_auc_score(truth_T[known_T], score_T[known_T])
        lines.append(f"Frame AUC of {video.file}: {auc:.3f} on {known_T.sum()} labelled frames.")
    return "\n" + "\n".join(lines)


PARTS = {"B": natural_timelines, "C": joined_timeline}


def main() -> None:
    """Run the parts asked for and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path, help="folder of the videos and their tables")
    parser.add_argument("out", type=Path, help="folder of everything that is made")
    parser.add_argument("--parts", default="BC", help="which of B and C to run")
    options = parser.parse_args()
    videos = read_videos(options.data)
    for part in options.parts:
        text = PARTS[part](options.data, options.out, videos)
        write_text(options.out / f"{part}.md", text + "\n")
        print(text, flush=True)


if __name__ == "__main__":
    main()
