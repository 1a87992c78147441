from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiny
from e2e.moving_mouse import NUM_FRAMES, true_box, write_mouse
from mouse_ar.core.types import Box
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.protocol import Detection
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.sample_frames import draw_boxes, fetch_frame, sample_boxes
from mouse_ar.sly.videos import RemoteVideo, list_videos
from supervisely_double.double import Double


@pytest.fixture
def videos(double: Double, connection: Connection, tmp_path: Path) -> dict[str, RemoteVideo]:
    project = double.add_project("mice")
    dataset = double.add_dataset(project, "d")
    for seed in range(2):
        double.add_video(dataset, write_mouse(tmp_path / f"{seed}.mp4", seed=seed))
    found = list_videos(connection, project_id=project)
    return {f"d/{video.name}": video for video in found}


def test_a_detector_of_single_frames_needs_no_video(
    double: Double, connection: Connection, videos: dict[str, RemoteVideo], tmp_path: Path
) -> None:
    detector = tiny.BoxDetector()
    pictures = sample_boxes(detector, connection, videos, folder=tmp_path / "work")
    assert len(pictures) == detector.frames == 4
    assert {title.split(",")[0] for title, _ in pictures} == set(videos)
    assert "score 0.90" in pictures[0][0]
    assert not double.called("videos.download")
    none = sample_boxes(tiny.BoxDetector(found=False), connection, videos, folder=tmp_path)
    assert "no mouse found" in none[0][0]


def test_background_subtraction_learns_from_one_video_that_is_removed_again(
    double: Double, connection: Connection, videos: dict[str, RemoteVideo], tmp_path: Path
) -> None:
    pictures = sample_boxes(BackgroundSubtraction(), connection, videos, folder=tmp_path / "work")
    assert len(double.called("videos.download")) == 1
    assert not list((tmp_path / "work").rglob("*.video"))
    assert len(pictures) == 4
    assert all("score" in title for title, _ in pictures)


def test_a_frame_is_that_of_the_video(
    double: Double, connection: Connection, videos: dict[str, RemoteVideo]
) -> None:
    frame_HWC = fetch_frame(connection, videos["d/1.mp4"], NUM_FRAMES - 1)
    x, y = true_box(NUM_FRAMES - 1, seed=1).center
    assert frame_HWC[int(y), int(x)].max() < 80 < frame_HWC[0, 0].min()
    double.fail("videos.download-frame", kinds="truncated", count=1)
    assert np.array_equal(fetch_frame(connection, videos["d/1.mp4"], NUM_FRAMES - 1), frame_HWC)
    double.fail("videos.download-frame", kinds="status", count=None)
    with pytest.raises(TransferError, match=r"fetching frame 3 of 1\.mp4"):
        fetch_frame(connection, videos["d/1.mp4"], 3)


def test_boxes_at_the_edge_stay_inside() -> None:
    image_HWC = np.full((20, 30, 3), 100, np.uint8)
    drawn_HWC = draw_boxes(image_HWC, [Detection(Box(-3, -2, 35, 25), 1.0)])
    assert (image_HWC == 100).all()
    assert tuple(drawn_HWC[0, 5]) == (255, 214, 0)
    assert tuple(drawn_HWC[10, 15]) == (100, 100, 100)
