"""Tracks that all runs share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouse_ar.core.types import Track
from mouse_ar.detection.errors import DetectorUnavailableError
from mouse_ar.pipelines.tracks import Tracker, tracks_folder
from mouse_ar.synthetic import SyntheticConfig, make_video, write_video
from mouse_ar.video.probe import VideoMeta, probe
from tiny import BoxDetector


@pytest.fixture(scope="module")
def meta(tmp_path_factory: pytest.TempPathFactory) -> VideoMeta:
    path = tmp_path_factory.mktemp("video") / "mouse.mp4"
    write_video(make_video(SyntheticConfig(num_videos=1, seconds_per_video=2), 0), path)
    return probe(path)


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))


def track(detector: BoxDetector, meta: VideoMeta, *, every: int = 4) -> Track:
    tracker = Tracker(detector=detector, detect_every=every)
    return tracker.track(meta, sha256="ab" * 32, progress=lambda done, total: None)


def test_another_run_does_not_detect_again(meta: VideoMeta) -> None:
    first, second = BoxDetector(), BoxDetector()
    one, other = track(first, meta), track(second, meta)
    assert first.frames > 0
    assert second.frames == 0
    np.testing.assert_array_equal(one.boxes_T4, other.boxes_T4)
    assert track(second, meta, every=2) is not None
    assert second.frames > 0


def test_boxes_of_a_detector_that_has_changed_meanwhile_are_not_kept(meta: VideoMeta) -> None:
    class Changed(BoxDetector):
        def confirm(self) -> None:
            raise DetectorUnavailableError("another model")

    with pytest.raises(DetectorUnavailableError, match="another model"):
        track(Changed(), meta)
    assert list(tracks_folder().glob("*.npz")) == []
    honest = BoxDetector()
    track(honest, meta)
    assert honest.frames > 0
    track(Changed(), meta)  # what is kept is asked of nobody


def test_a_corrupt_entry_is_rebuilt(meta: VideoMeta) -> None:
    one = track(BoxDetector(), meta)
    (entry,) = tracks_folder().glob("*.npz")
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    detector = BoxDetector()
    np.testing.assert_array_equal(track(detector, meta).boxes_T4, one.boxes_T4)
    assert detector.frames > 0
    assert len(entry.read_bytes()) == len(whole)


def test_a_folder_that_cannot_be_written_costs_only_time(
    meta: VideoMeta,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "file"))
    assert track(BoxDetector(), meta).present_T.all()
    assert "MOUSE_AR_CACHE" in caplog.text


def test_without_the_variable_it_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOUSE_AR_CACHE")
    assert tracks_folder().parts[-2:] == ("mouse-ar", "tracks")
