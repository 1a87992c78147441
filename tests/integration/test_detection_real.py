"""The background detector on real video: floors below what was measured (docs/benchmarks.md).

The given boxes come from thresholding and hold floor reflections (mouse_cylinder) or part of the
tail (rats), so "centre inside" says more than the IoU.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from mouse_ar.core.types import Box, Track
from mouse_ar.detection.association import associate
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.tracking import fill_track, track_video
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import iter_frames


def given_boxes(path: Path, *, by: str | None = None) -> dict[str, dict[int, Box]]:
    boxes: dict[str, dict[int, Box]] = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["x1"]:
                sides = [float(row[k]) for k in ("x1", "y1", "x2", "y2")]
                boxes[row[by] if by else ""][int(row["frame"])] = Box(*sides)
    return boxes


def quality(track: Track, truth: Mapping[int, Box]) -> tuple[float, float]:
    """Share of frames with the centre inside, and mean IoU."""
    inside, ious = [], []
    for frame, true in truth.items():
        box = track.box(frame)
        inside.append(box is not None and true.contains(*box.center))
        ious.append(0.0 if box is None else box.iou(true))
    return float(np.mean(inside)), float(np.mean(ious))


def test_open_field_first_300_frames(shared_data: Path) -> None:
    path = shared_data / "openfield_top/m3v1mp4.mp4"
    meta = probe(path)
    detector = BackgroundSubtraction()
    detector.prepare(path, meta=meta)
    found = [
        detector.detect(frame_HWC[None])[0]
        for _, frame_HWC in iter_frames(path, stop=300, step=3, meta=meta)
    ]
    chosen = associate(found, step_seconds=3 / meta.fps)
    seen = {3 * n: d.box for n, d in enumerate(chosen) if d is not None}
    track = fill_track(seen, num_frames=300, fps=meta.fps, detect_every=3)
    truth = given_boxes(path.with_suffix(".boxes.csv"))[""]
    inside, iou = quality(track, {n: b for n, b in truth.items() if n < 300})
    # In this stretch many given boxes hold, and ten are, the mouse's reflection in the wall.
    assert inside >= 0.96
    assert iou >= 0.75


def test_empty_chamber_has_no_mouse(shared_data: Path) -> None:
    path = shared_data / "edge/empty_chamber_no_mouse.wmv"
    track = track_video(path, detector=BackgroundSubtraction(), detect_every=3)
    assert not track.present_T.any()


def test_short_clip_of_a_moving_mouse(shared_data: Path) -> None:
    # One second: too short for a clean background, and the arena's dark rim is no mouse.
    path = shared_data / "edge/m3v1mp4short_31frames_yuv444.mp4"
    track = track_video(path, detector=BackgroundSubtraction())
    middle = track.box(15)
    assert middle is not None
    assert middle.iou(Box(90, 60, 172, 145)) > 0.6


def test_still_rats_in_16_frame_clips(shared_data: Path) -> None:
    folder = shared_data / "rat_homecage_clips"
    truths = given_boxes(folder / "boxes.csv", by="clip")
    clips = sorted(clip for clip in truths if clip.startswith("grooming/"))[:2]
    assert len(clips) == 2
    for clip in clips:
        track = track_video(folder / clip, detector=BackgroundSubtraction(), detect_every=3)
        inside, iou = quality(track, truths[clip])
        assert inside == 1.0, clip
        assert iou >= 0.3, clip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least_inside", "least_iou"),
    [
        ("mouse_cylinder/camR_31500", 0.98, 0.70),
        ("mouse_cylinder/camU_31500", 0.95, 0.65),
        ("mouse_cylinder/camL_31500", 0.98, 0.70),
        ("openfield_top/m3v1mp4", 0.98, 0.82),
        ("openfield_top/tracktor_mouse_video", 0.98, 0.80),
    ],
)
def test_whole_videos(shared_data: Path, name: str, least_inside: float, least_iou: float) -> None:
    path = shared_data / f"{name}.mp4"
    track = track_video(path, detector=BackgroundSubtraction(), detect_every=4)
    inside, iou = quality(track, given_boxes(path.with_suffix(".boxes.csv"))[""])
    assert inside >= least_inside
    assert iou >= least_iou


@pytest.mark.slow
def test_all_rat_clips(shared_data: Path) -> None:
    folder = shared_data / "rat_homecage_clips"
    scores = [
        quality(track_video(folder / clip, detector=BackgroundSubtraction(), detect_every=3), truth)
        for clip, truth in given_boxes(folder / "boxes.csv", by="clip").items()
    ]
    inside, iou = np.mean(scores, axis=0)
    assert inside >= 0.95
    assert iou >= 0.65


@pytest.mark.slow
def test_keypoints_of_stills_inside_the_box(shared_data: Path) -> None:
    folder = shared_data / "openfield_top/m4s1"
    with (folder / "CollectedData_Pranav.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[3:]
    rows = [row for row in rows if (folder / Path(row[0]).name).exists()]
    stills = np.stack(
        [
            cv2.cvtColor(cv2.imread(str(folder / Path(row[0]).name)), cv2.COLOR_BGR2RGB)
            for row in rows
        ]
    )
    detector = BackgroundSubtraction()
    detector.fit(stills)
    inside = [
        bool(found and found[0].box.contains(x, y))
        for row, found in zip(rows, detector.detect(stills), strict=True)
        for x, y in np.reshape([float(v) if v else np.nan for v in row[1:]], (-1, 2))
        if np.isfinite(x)
    ]
    assert len(inside) == 60
    assert np.mean(inside) >= 0.9
