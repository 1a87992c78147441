"""Filling the gaps between detections, and a whole video."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.online import track_video
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.tracking import fill_track
from mouse_ar.video.probe import VideoMeta

SIZE = 20.0


def box(x: float, y: float = 50) -> Box:
    return Box(x, y, x + SIZE, y + SIZE)


def test_no_detection_no_box() -> None:
    track = fill_track({}, num_frames=10, fps=25)
    assert not track.present_T.any()
    assert not track.observed_T.any()


def test_interpolates_short_gaps() -> None:
    seen = {n: box(2 * n) for n in range(100) if not 40 <= n < 60}
    track = fill_track(seen, num_frames=100, fps=25)
    assert track.present_T.all()
    np.testing.assert_array_equal(np.flatnonzero(~track.observed_T), np.arange(40, 60))
    np.testing.assert_allclose(track.boxes_T4[45:55, 0], 2.0 * np.arange(45, 55), atol=0.5)


def test_long_gap_of_a_resting_mouse_is_bridged() -> None:
    seen = {n: box(50) for n in range(600) if not 100 <= n < 500}
    track = fill_track(seen, num_frames=600, fps=25, max_gap_seconds=1)
    assert track.present_T.all()


def test_long_gap_with_a_jump_is_held_then_empty() -> None:
    seen = {n: box(50 if n < 100 else 400) for n in range(600) if not 100 <= n < 500}
    track = fill_track(seen, num_frames=600, fps=25, max_gap_seconds=1)
    np.testing.assert_array_equal(np.flatnonzero(~track.present_T), np.arange(125, 500))
    assert track.boxes_T4[110, 0] == pytest.approx(50, abs=0.5)
    assert track.boxes_T4[500, 0] == pytest.approx(400, abs=0.5)


def test_resting_mouse_is_held_to_the_end_and_from_the_start() -> None:
    track = fill_track({n: box(50) for n in range(200, 300)}, num_frames=900, fps=25)
    assert track.present_T.all()
    assert track.observed_T.sum() == 100


def test_resting_mouse_is_not_held_for_ever() -> None:
    track = fill_track({n: box(50) for n in range(2000, 2100)}, num_frames=9000, fps=25)
    np.testing.assert_array_equal(
        np.flatnonzero(track.present_T), np.arange(2000 - 750, 2100 + 750)
    )


def test_mouse_that_walked_away_is_not_held_to_the_end() -> None:
    seen = {n: box(4 * n) for n in range(100)}
    track = fill_track(seen, num_frames=400, fps=25, max_gap_seconds=1)
    assert track.present_T.sum() == 125


@pytest.mark.parametrize("seen", [[450], [450, 451, 452], [440, 452]])
def test_brief_sighting_is_no_resting_mouse(seen: list[int]) -> None:
    # A hand in an empty cage for less than half a second.
    track = fill_track({n: box(50) for n in seen}, num_frames=900, fps=25, max_gap_seconds=2)
    np.testing.assert_array_equal(
        np.flatnonzero(track.present_T), np.arange(seen[0] - 50, seen[-1] + 51)
    )


@pytest.mark.parametrize("every", [10, 25])
def test_resting_mouse_looked_at_rarely_is_held(every: int) -> None:
    track = fill_track(
        {n: box(50) for n in range(200, 300, every)}, num_frames=900, fps=25, detect_every=every
    )
    assert track.present_T.all()


@pytest.mark.parametrize("every", [1, 5, 20, 50])
def test_rest_is_judged_by_time_however_rarely_looked(every: int) -> None:
    # One body width in 0.8 s: the boxes of one second do not overlap.
    seen = {n: box(n) for n in range(1000, 1351, every)}
    track = fill_track(seen, num_frames=4000, fps=25, detect_every=every, max_gap_seconds=2)
    np.testing.assert_array_equal(np.flatnonzero(track.present_T), np.arange(950, max(seen) + 51))


def test_one_wrong_box_is_outvoted() -> None:
    seen = {n: box(50) for n in range(60)}
    seen[30] = Box(300, 300, 400, 400)
    track = fill_track(seen, num_frames=60, fps=30)
    np.testing.assert_allclose(track.boxes_T4[:, 0], 50, atol=0.1)


def test_smoothing_does_not_lag() -> None:
    rng = np.random.default_rng(0)
    frames = np.arange(200)
    path = 100 + 60 * np.sin(frames / 15)
    jitter = path + rng.normal(0, 2, 200)
    track = fill_track({n: box(jitter[n]) for n in frames}, num_frames=200, fps=30)
    error = track.boxes_T4[:, 0] - path
    assert np.std(error) < 0.8 * np.std(jitter - path)
    later = track.boxes_T4[5:, 0] - path[:-5]
    assert abs(error.mean()) < 0.5
    assert np.std(error) < 0.3 * np.std(later)


@given(
    seen=st.dictionaries(
        st.integers(0, 49),
        st.builds(box, st.floats(0, 300), st.floats(0, 300)),
        max_size=12,
    ),
    gap=st.floats(0, 2),
    every=st.integers(1, 5),
)
def test_filled_tracks_hold_together(seen: dict[int, Box], gap: float, every: int) -> None:
    track = fill_track(seen, num_frames=50, fps=10, max_gap_seconds=gap, detect_every=every)
    assert set(np.flatnonzero(track.observed_T)) == set(seen)
    assert track.present_T[track.observed_T].all()
    present = track.boxes_T4[track.present_T]
    assert (present[:, 2] > present[:, 0]).all()
    assert (present[:, 3] > present[:, 1]).all()


class Scripted:
    """Sees a box whose place is written into the first pixel of the frame."""

    fingerprint = "scripted"

    def __init__(self) -> None:
        self.prepared: list[Path] = []
        self.batches: list[int] = []

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        self.prepared.append(path)

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        self.batches.append(len(frames_NHWC))
        return [
            [Detection(box=box(float(frame_HWC[:8, :8].mean())), score=0.9)]
            for frame_HWC in frames_NHWC
        ]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """100 frames, 25 fps: a dark square moves right; its place is the corner's grey level."""
    path = tmp_path / "walk.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"crf": "4"}
        for n in range(100):
            frame_HWC = np.full((120, 160, 3), 180, np.uint8)
            frame_HWC[:16, :16] = 20 + n
            frame_HWC[60:84, 20 + n : 48 + n] = 20
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("every", [1, 3, 7])
def test_tracks_a_video(video: Path, every: int) -> None:
    detector = Scripted()
    calls: list[tuple[int, int]] = []
    track = track_video(
        video,
        detector=detector,
        detect_every=every,
        still_iou=0.0,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert detector.prepared == [video]
    looked = sorted({*range(0, 100, every), 99})
    assert sum(detector.batches) == len(looked)
    assert calls[-1] == (100, 100)
    assert calls == sorted(calls)
    np.testing.assert_array_equal(np.flatnonzero(track.observed_T), looked)
    np.testing.assert_allclose(track.boxes_T4[3:90, 0], 20 + np.arange(3, 90), atol=2)


def test_background_detector_on_a_file(video: Path) -> None:
    track = track_video(video, detector=BackgroundSubtraction(), detect_every=1)
    assert track.observed_T.mean() > 0.9
    ious = [
        found.iou(Box(20 + n, 60, 48 + n, 84))
        for n in range(5, 95)
        if (found := track.box(n)) is not None
    ]
    assert len(ious) == 90
    assert np.mean(ious) > 0.8


def test_bad_arguments_are_named(video: Path) -> None:
    with pytest.raises(ValueError, match="detect_every"):
        track_video(video, detector=Scripted(), detect_every=0)
    with pytest.raises(ValueError, match=r"detect_every within 1\.\.64"):
        track_video(video, detector=Scripted(), detect_every=65)
