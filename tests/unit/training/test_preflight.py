"""What is found before the first step, and what is said of it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from mouse_ar.data.training_data import TrainingData, VideoRecord, open_training_data
from mouse_ar.training import preflight
from mouse_ar.training.preflight import (
    CHECKED,
    PreflightReport,
    check_training_data,
    ensure_trainable,
)
from mouse_ar.training.run import train
from tiny import ACTIONS, GROOMING, TWITCH


@pytest.fixture
def own(data: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    return Path(shutil.copytree(data, tmp_path / "own"))


def opened(path: Path) -> TrainingData:
    return open_training_data(path, actions=ACTIONS)


def check(data: TrainingData, **options: Any) -> PreflightReport:
    return check_training_data(data, **{"config": tiny.TRAIN, "actions": ACTIONS, **options})


def kept(data: TrainingData, wanted: Callable[[VideoRecord], bool]) -> TrainingData:
    return replace(data, clips=tuple(clip for clip in data.clips if wanted(clip)))


def test_sound_data_pass_with_their_counts(data: Path) -> None:
    loaded = opened(data)
    seen: list[tuple[int, int]] = []
    report = check(loaded, progress=lambda done, total: seen.append((done, total)))
    assert (report.errors, report.unreadable) == ((), {})
    report.check(actions=ACTIONS)
    assert seen[-1] == (len(loaded.clips) + 2, len(loaded.clips) + 2)
    text = report.text(actions=ACTIONS)
    for word in ("Self-Grooming", "idle", "cohort/day1/g.mp4", f"bouts of {TWITCH}"):
        assert word in text


def test_class_without_a_clip_is_told_with_the_counts(data: Path, tmp_path: Path) -> None:
    lacking = kept(opened(data), lambda clip: not clip.ethogram.of(TWITCH))
    events: list[dict[str, Any]] = []
    ensure_trainable(
        lacking, config=tiny.TRAIN, actions=ACTIONS, output=tmp_path, emit=events.append
    )
    (counts,) = [event["text"] for event in events if event["event"] == "data"]
    assert re.search(r"source video +\| use", counts)
    assert f"bouts of {TWITCH}" in counts
    told = [event["text"] for event in events if event["event"] == "warning"]
    assert any(f"no clip of {TWITCH}" in text for text in told)


def test_data_without_any_action_are_refused_with_the_counts(data: Path) -> None:
    report = check(kept(opened(data), lambda clip: not clip.ethogram.bouts))
    with pytest.raises(ValueError, match=r"source video +\| use(.|\n)*no clip of Self-Grooming or"):
        report.check(actions=ACTIONS)


def test_data_without_any_idle_frame_are_refused(data: Path) -> None:
    loaded = opened(data)
    full = replace(
        loaded.clips[0].ethogram,
        bouts=tiny.bouts([(GROOMING, 0, loaded.clips[0].num_frames)]),
    )
    report = check(replace(loaded, clips=(replace(loaded.clips[0], ethogram=full),)))
    assert any("No clip shows a frame without an action" in text for text in report.errors)


@pytest.mark.parametrize(
    ("batch", "world_size", "message"),
    [
        (18, 1, "17 training clips, fewer than the 18 windows of a batch: set batch_size to 17"),
        (9, 2, r"the 18 windows of a batch \(9 on each of 2 devices\): set batch_size to 8"),
        (1, 18, "fewer than the 18 windows of a batch .*: label more bouts"),
    ],
)
def test_fewer_clips_than_a_batch(data: Path, batch: int, world_size: int, message: str) -> None:
    config = replace(tiny.TRAIN, batch_size=batch)
    report = check(opened(data), config=config, world_size=world_size)
    with pytest.raises(ValueError, match=message):
        report.check(actions=ACTIONS)


def test_unreadable_clips_are_named(own: Path) -> None:
    loaded = opened(own)
    broken, cut, test = loaded.clips[0], loaded.clips[1], loaded.test[0]
    broken.path.write_bytes(b"no video")
    tiny.write_video(cut.path, num_frames=cut.num_frames - 5)
    test.path.write_bytes(b"")
    report = check(loaded)
    assert set(report.unreadable) == {broken.key, cut.key, test.key}
    assert f"annotation is of {cut.num_frames}" in report.unreadable[cut.key]
    assert str(own) not in report.unreadable[broken.key]
    with pytest.raises(ValueError, match=r"2 of the 18 clips and val videos cannot be read"):
        report.check(actions=ACTIONS)
    assert any(test.key in text for text in report.warnings)


def test_longer_file_is_amiss_only_where_every_frame_is_scored(own: Path) -> None:
    loaded = opened(own)
    for record in (loaded.clips[0], loaded.val[0]):
        tiny.write_video(record.path, num_frames=record.num_frames + 1)
    assert set(check(loaded).unreadable) == {loaded.val[0].key}


def test_only_changed_files_are_tried_again(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, tried = opened(own), []
    real = preflight._problem

    def spy(record: VideoRecord) -> str | None:
        tried.append(record.key)
        return real(record)

    monkeypatch.setattr(preflight, "_problem", spy)
    checked = tmp_path / CHECKED
    check(loaded, checked=checked)
    assert len(tried) == len(loaded.clips) + 2
    tried.clear()
    check(loaded, checked=checked)
    assert tried == []
    loaded.clips[0].path.write_bytes(b"no video")
    os.utime(loaded.clips[1].path, (0, 0))
    assert set(check(loaded, checked=checked).unreadable) == {loaded.clips[0].key}
    assert sorted(tried) == sorted([loaded.clips[0].key, loaded.clips[1].key])
    tried.clear()
    check(loaded, checked=checked)
    assert tried == [loaded.clips[0].key], "a failure is never remembered"
    checked.write_text("{broken")
    assert check(loaded, checked=checked).unreadable


def test_windows_that_do_not_suit_the_clips_are_warned_of(data: Path) -> None:
    loaded = opened(data)
    assert not any("mirrored" in text for text in check(loaded).warnings)
    config = replace(tiny.TRAIN, num_frames=12, sampling_rate=2)
    text = "\n".join(check(loaded, config=config).warnings)
    assert "14 of 17 clips are shorter than the window of 24 frames" in text
    assert f"Half of the bouts of {TWITCH} last 3 frames or fewer" in text
    assert "sampling_rate=1 and num_frames=32" in text
    assert f"bouts of {GROOMING} last" not in text
    assert "Half of the bouts" not in "\n".join(check(loaded).warnings)


def test_events_of_a_run_tell_of_the_check_and_its_warnings(data: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    for _ in range(2):
        ensure_trainable(
            opened(data), config=tiny.TRAIN, actions=ACTIONS, output=tmp_path, emit=events.append
        )
    checking = [event for event in events if event["event"] == "checking"]
    assert checking[-1] == {"event": "checking", "done": 19, "total": 19}
    assert [event["done"] for event in checking] == list(range(1, 20)), "once: then it is known"
    assert any("only" in event.get("text", "") for event in events)


def test_run_is_refused_before_anything_is_trained(own: Path, tmp_path: Path) -> None:
    opened(own).clips[0].path.write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"\nThey cannot be trained on: 1 of the 18 .*$"):
        train(
            own,
            tmp_path / "run",
            config=tiny.TRAIN,
            actions=ACTIONS,
            device=torch.device("cpu"),
            emit=lambda event: None,
        )
    assert not (tmp_path / "run/checkpoints").exists()
