"""How much a track loses when the detector looks at few frames, as a markdown table.

    python scripts/bench_sparse.py --data DIR --synthetic 24

The background detector looks at every frame once; sparse tracks are then made from its detections
and compared with the track of all: mean IoU over the frames in which either has a box. "Adaptive"
looks again where boxes change (`detection/sparse.py`). In synthetic videos the boxes are known:
their mean IoU is given beside it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Track
from mouse_ar.demo import DemoConfig
from mouse_ar.detection.association import associate
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.sparse import STILL_IOU, detect_sparsely
from mouse_ar.detection.tracking import fill_track
from mouse_ar.synthetic import SyntheticConfig, make_video, write_dataset
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_frames

VIDEOS = (
    "mouse_cylinder/camR_31500.mp4",
    "mouse_cylinder/camU_31500.mp4",
    "mouse_cylinder/camL_31500.mp4",
    "mouse_cylinder/camE_7000.mp4",
    "openfield_top/m3v1mp4.mp4",
    "openfield_top/tracktor_mouse_video.mp4",
)
STEPS = (1, 2, 4, 8, 16)


class Remembered:
    """Detections of every frame of a video, as a detector whose "frames" are their indices."""

    fingerprint = "remembered"

    def __init__(self, path: Path, meta: VideoMeta) -> None:
        detector = BackgroundSubtraction()
        detector.prepare(path, meta=meta)
        self.found = [detector.detect(frame[None])[0] for _, frame in iter_frames(path, meta=meta)]
        self.looks = 0

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """Nothing to learn."""

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        """What was found in the frames of these indices."""
        self.looks += len(frames_NHWC)
        return [self.found[int(index)] for index in frames_NHWC[:, 0, 0, 0]]

    def pictures(self) -> Iterator[tuple[int, partial[NDArray[np.uint8]]]]:
        """The index of every frame in place of the frame."""
        for index in range(len(self.found)):
            yield index, partial(np.full, (1, 1, 1), index)

    def track(self, *, every: int, still_iou: float, fps: float) -> tuple[Track, float]:
        """A sparse track and the share of the frames that were looked at."""
        self.looks = 0
        total = len(self.found)
        found = detect_sparsely(
            self.pictures(),
            num_frames=total,
            detector=self,
            detect_every=every,
            still_iou=still_iou,
        )
        seen = {frame: d.box for frame, d in associate(found, fps=fps).items()}
        track = fill_track(seen, num_frames=total, fps=fps, detect_every=every)
        return track, self.looks / total


def mean_iou(track: Track, reference: Track) -> float:
    """Mean IoU over the frames in which either track has a box."""
    ious = []
    for frame in np.flatnonzero(track.present_T | reference.present_T):
        one, other = track.box(int(frame)), reference.box(int(frame))
        ious.append(one.iou(other) if one and other else 0.0)
    return float(np.mean(ious)) if ious else float("nan")


def measured(path: Path, truth: Track | None) -> dict[tuple[int, bool], tuple[float, ...]]:
    """IoU with the full track, share of frames looked at and IoU with the truth, by setting."""
    meta = probe(path)
    detector = Remembered(path, meta)
    full, _ = detector.track(every=1, still_iou=0.0, fps=meta.fps)
    results = {}
    for every in STEPS:
        for adaptive in (False, True):
            track, share = detector.track(
                every=every, still_iou=STILL_IOU if adaptive else 0.0, fps=meta.fps
            )
            known = mean_iou(track, truth) if truth else float("nan")
            results[every, adaptive] = (mean_iou(track, full), share, known)
    return results


def synthetic(count: int, folder: Path) -> Iterator[tuple[Path, Track]]:
    """Videos of the demo with their boxes."""
    config = SyntheticConfig(**{**DemoConfig().synthetic, "seed": 501, "num_videos": count})
    for index, video in enumerate(write_dataset(config, folder / "input").videos()):
        yield video.video_path, make_video(config, index).track


def line(name: str, results: dict[tuple[int, bool], tuple[float, ...]], *, adaptive: bool) -> str:
    """One row of the table."""
    cells = []
    for every in STEPS:
        iou, share, known = results[every, adaptive]
        truth = "" if np.isnan(known) else f" [{known:.3f}]"
        cells.append(f"{iou:.3f} ({share:.2f}){truth}")
    return f"| {name} | {'adaptive' if adaptive else 'fixed'} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real videos")
    parser.add_argument("--synthetic", type=int, default=24, help="so many synthetic videos")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| video | step | " + " | ".join(f"N = {n}" for n in STEPS) + " |")
    print("|---" * (2 + len(STEPS)) + "|")
    for name in VIDEOS:
        results = measured(options.data / name, None)
        for adaptive in (False, True):
            print(line(name, results, adaptive=adaptive), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        each = [measured(*pair) for pair in synthetic(options.synthetic, Path(folder))]
    means = {key: tuple(np.mean([r[key] for r in each], axis=0)) for key in each[0]}
    for adaptive in (False, True):
        print(line(f"{options.synthetic} synthetic videos", means, adaptive=adaptive))


if __name__ == "__main__":
    main()
