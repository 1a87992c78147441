"""The two functions for scripts, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mouse_ar
import tiny
from colour_model import predictor
from mouse_ar import annotate_video, load_model
from mouse_ar.mvd import CheckpointError
from mouse_ar.video.probe import VideoError
from tiny import GROOMING, TWITCH


def test_a_video_is_annotated(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", [(GROOMING, 10, 40), (TWITCH, 60, 63)])

    result = annotate_video(str(path), predictor(), detector=tiny.BoxDetector())

    assert [bout.action for bout in result.bouts] == [GROOMING, TWITCH]
    first = result.bouts[0]
    assert abs(first.start_frame - 10) <= 2
    assert first.start_seconds == pytest.approx(first.start_frame / 10, abs=2e-3)
    assert first.end_seconds == pytest.approx((first.end_frame + 1) / 10, abs=2e-3)
    assert 0 < first.confidence < 1
    assert result.scores.num_frames == result.track.num_frames == tiny.NUM_FRAMES


def test_errors_are_raised(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"v\.mp4"):
        annotate_video(tmp_path / "v.mp4", predictor())
    (tmp_path / "m.safetensors").write_bytes(b"no model")
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "m.safetensors", device="cpu")


def test_importing_the_package_is_light() -> None:
    script = (
        "import sys, mouse_ar; "
        "assert not {'torch', 'cv2', 'av', 'numpy'} & set(sys.modules), 'heavy'; "
        "mouse_ar.annotate_video; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_unknown_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'annotate'"):
        mouse_ar.annotate  # noqa: B018
