"""What a run tells about its speed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mouse_ar import console
from mouse_ar.console import InferView
from mouse_ar.pipelines.meter import STAGES, Meter


def expecting(tmp_path: Path) -> Meter:
    for name, size in (("a", 300), ("b", 100)):
        (tmp_path / name).write_bytes(bytes(size))
    meter = Meter()
    meter.expect({"a": tmp_path / "a", "b": tmp_path / "b"})
    return meter


def test_what_is_left_follows_the_size_of_the_files(tmp_path: Path) -> None:
    meter = expecting(tmp_path)
    assert meter.seconds_left is None
    time.sleep(0.1)
    meter.scored("a", share=0.5, video_seconds=10)
    assert meter.share_done == pytest.approx(150 / 400)
    elapsed = 10 / meter.speed
    assert meter.seconds_left == pytest.approx(elapsed * 250 / 150, rel=0.2)
    meter.finished("a")
    meter.finished("b")
    assert meter.share_done == 1
    assert meter.seconds_left == 0


def test_resumed_videos_say_nothing_about_the_speed(tmp_path: Path) -> None:
    meter = expecting(tmp_path)
    meter.finished("a")
    assert meter.speed == 0
    assert meter.seconds_left is None


def test_stages_add_up_also_those_of_other_processes(tmp_path: Path) -> None:
    meter = expecting(tmp_path)
    meter.busy("decode")(0.05)
    with meter.timed("model"):
        time.sleep(0.1)
    meter.take({"crop": 0.08}, workers=2)
    time.sleep(0.1)
    shares = meter.shares()
    assert tuple(shares) == STAGES
    assert 0 < shares["crop"] < shares["decode"] < shares["model"] < 1
    assert shares["detect"] == 0
    assert meter.drain()["decode"] == 0.05
    assert meter.drain()["decode"] == 0


def test_view_shows_all_videos_and_each_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = expecting(tmp_path)
    monkeypatch.setattr(console, "out", console.Console(soft_wrap=True, width=200))
    with InferView(meter) as view:
        view("detecting 1/2 a", 5, 10)
        view("classifying 1/2 a", 3, 10)
        meter.scored("a", share=0.5, video_seconds=10)
        view("classifying 1/2 a", 6, 10)
        view("annotating", 1, 2)
    text = capsys.readouterr().out
    assert text.count("classifying 1/2 a") >= 1
    assert "detecting 1/2 a" in text
    assert "seconds of video per second" in view.summary()
    assert "wait 0%" in view.summary()
