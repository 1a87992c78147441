"""Quality and speed of the background detector on real videos, as a markdown table.

Given boxes come from thresholding: trust "centre inside" more than the mean IoU. The data folder
is laid out as its own README says.
"""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box, Track
from mouse_ar.demo import DemoConfig
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.online import track_video
from mouse_ar.synthetic import DISTURBANCES, SyntheticConfig, make_video, write_dataset
from mouse_ar.video.reader import open_video

VIDEOS = (
    "mouse_cylinder/camR_31500.mp4",
    "mouse_cylinder/camU_31500.mp4",
    "mouse_cylinder/camL_31500.mp4",
    "openfield_top/m3v1mp4.mp4",
    "openfield_top/tracktor_mouse_video.mp4",
)
EMPTY = "edge/empty_chamber_no_mouse.wmv"
STILLS = "openfield_top/m4s1"
RATS = "rat_homecage_clips"


@dataclass
class Tally:
    """Sums over the frames of one or more videos."""

    frames: int = 0
    scored: int = 0
    inside: int = 0
    iou: float = 0.0
    half: int = 0
    empty: int = 0
    seconds: float = 0.0

    def add(self, track: Track, truth: Mapping[int, Box], *, seconds: float = 0.0) -> None:
        """Compare a track with the given boxes of its video."""
        self.frames += track.num_frames
        self.empty += int(np.count_nonzero(~track.present_T))
        self.seconds += seconds
        for frame, true in truth.items():
            box = track.box(frame)
            iou = box.iou(true) if box else 0.0
            self.scored += 1
            self.inside += bool(box and true.contains(*box.center))
            self.iou += iou
            self.half += iou >= 0.5

    def quality(self) -> tuple[float, float, float]:
        """Share of frames with the centre inside, mean IoU, share with an IoU of a half."""
        return self.inside / self.scored, self.iou / self.scored, self.half / self.scored

    def row(self, name: str) -> str:
        """One line of the table."""
        quality = [f"{value:.3f}" for value in self.quality()] if self.scored else ["-"] * 3
        cells = [name, str(self.frames), *quality, f"{self.empty / self.frames:.3f}"]
        return "| " + " | ".join([*cells, f"{self.frames / self.seconds:.0f}"]) + " |"


def read_boxes(path: Path, *, by: str | None = None) -> dict[str, dict[int, Box]]:
    """Boxes by video (column ``by``; "" where the file has only one) and frame."""
    boxes: dict[str, dict[int, Box]] = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["x1"]:
                sides = (float(row[k]) for k in ("x1", "y1", "x2", "y2"))
                boxes[row[by] if by else ""][int(row["frame"])] = Box(*sides)
    return boxes


def tracked(path: Path, *, detect_every: int) -> tuple[Track, float]:
    """Track of a video and the processor seconds it took, decoding and background included."""
    start = time.process_time()
    track = track_video(path, detector=BackgroundSubtraction(), detect_every=detect_every)
    return track, time.process_time() - start


def keypoints_inside(folder: Path) -> tuple[int, int]:
    """Hand-placed keypoints inside the box of their still image, and all of them.

    The background is learnt from the stills themselves, as from a video of so many frames.
    """
    with (folder / "CollectedData_Pranav.csv").open(newline="", encoding="utf-8") as file:
        points = {
            Path(row[0]).name: [float(v) if v else np.nan for v in row[1:]]
            for row in list(csv.reader(file))[3:]
        }
    stills = sorted(path for path in folder.glob("*.png") if path.name in points)
    images = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in stills]
    detector = BackgroundSubtraction()
    detector.fit(np.stack(images))
    found = detector.detect(np.stack(images))
    inside = total = 0
    for still, detections in zip(stills, found, strict=True):
        for x, y in np.reshape(points[still.name], (-1, 2)):
            if np.isfinite(x):
                total += 1
                inside += bool(detections and detections[0].box.contains(x, y))
    return inside, total


def write_overlays(path: Path, track: Track, truth: Mapping[int, Box], folder: Path) -> None:
    """Nine frames of a video with the given box (green) and ours (red), as one PNG."""
    frames = np.linspace(0, track.num_frames - 1, 9).round().astype(int).tolist()
    with open_video(path) as reader:
        pictures = reader.get_batch(frames)
    tiles = []
    for frame, picture_HWC in zip(frames, pictures, strict=True):
        tile: NDArray[np.uint8] = picture_HWC.copy()
        for box, color in ((truth.get(frame), (0, 255, 0)), (track.box(frame), (255, 0, 0))):
            if box:
                corners = [round(v) for v in (box.left, box.top, box.right, box.bottom)]
                cv2.rectangle(tile, tuple(corners[:2]), tuple(corners[2:]), color, 3)
        tiles.append(cv2.resize(tile, (480, round(480 * tile.shape[0] / tile.shape[1]))))
    sheet = np.vstack([np.hstack(tiles[n : n + 3]) for n in (0, 3, 6)])
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{path.stem}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def synthetic(count: int, *, disturbance: str, detect_every: int) -> list[tuple[float, str]]:
    """Mean IoU of the track in each of the demo's videos (``demo.py``), worst first."""
    results = []
    changed = {"seed": 501, "num_videos": count, "disturbance": disturbance}
    with tempfile.TemporaryDirectory() as folder:
        config = SyntheticConfig(**{**DemoConfig().synthetic, **changed})
        project = write_dataset(config, Path(folder) / "input")
        for index, video in enumerate(project.videos()):
            track, _ = tracked(video.video_path, detect_every=detect_every)
            truth = make_video(config, index).track
            ious = [
                box.iou(true) if (box := track.box(t)) and (true := truth.box(t)) else 0.0
                for t in range(truth.num_frames)
            ]
            results.append((float(np.mean(ious)), video.name))
    return sorted(results)


def rows(options: argparse.Namespace) -> Iterable[str]:
    """Lines of the table, as they come."""
    for name in (v for v in VIDEOS if re.search(options.only, v)):
        path = options.data / name
        truth = read_boxes(path.with_suffix(".boxes.csv"))[""]
        track, seconds = tracked(path, detect_every=options.detect_every)
        tally = Tally()
        tally.add(track, truth, seconds=seconds)
        yield tally.row(name)
        if options.overlays:
            write_overlays(path, track, truth, options.overlays)
    if re.search(options.only, RATS):
        truths = read_boxes(options.data / RATS / "boxes.csv", by="clip")
        classes: dict[str, Tally] = defaultdict(Tally)
        for clip, truth in sorted(truths.items()):
            track, seconds = tracked(options.data / RATS / clip, detect_every=options.detect_every)
            classes[Path(clip).parent.name].add(track, truth, seconds=seconds)
        yield from (tally.row(f"{RATS}/{name}") for name, tally in classes.items())
    if re.search(options.only, EMPTY):
        track, seconds = tracked(options.data / EMPTY, detect_every=options.detect_every)
        tally = Tally()
        tally.add(track, {}, seconds=seconds)
        yield tally.row(f"{EMPTY} (no animal)")
    if re.search(options.only, STILLS):
        inside, total = keypoints_inside(options.data / STILLS)
        yield f"\n{STILLS}: {inside} of {total} keypoints inside ({inside / total:.3f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real videos")
    parser.add_argument("--only", default="", help="regular expression: which videos")
    parser.add_argument("--detect-every", type=int, default=1)
    parser.add_argument("--synthetic", type=int, default=0, help="so many synthetic videos too")
    parser.add_argument("--overlays", type=Path, help="folder for pictures to look at")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| video | frames | centre inside | mean IoU | IoU >= 0.5 | no box | frames / CPU s |")
    print("|---|---|---|---|---|---|---|")
    for line in rows(options):
        print(line, flush=True)
    for kind in DISTURBANCES if options.synthetic else ():
        results = synthetic(options.synthetic, disturbance=kind, detect_every=options.detect_every)
        mean = np.mean([iou for iou, _ in results])
        worst = ", ".join(f"{iou:.3f} {name}" for iou, name in results[:3])
        print(f"\n{len(results)} synthetic videos ({kind}): mean IoU {mean:.3f}; worst: {worst}")


if __name__ == "__main__":
    main()
