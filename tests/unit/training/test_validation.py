"""Validation on whole videos in shares, and on windows between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tiny
from mouse_ar.core.types import Ethogram, Track
from mouse_ar.data.training_data import TrainingData, VideoRecord, open_training_data
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.training import window_validation
from mouse_ar.training.validation import (
    judge_videos,
    merge_shares,
    score_videos,
    share_videos,
)
from mouse_ar.training.window_validation import (
    ValidationWindows,
    WindowScores,
    judge_windows,
    score_windows,
    windows_to_watch,
)
from tiny import ACTIONS, GROOMING, TWITCH

CPU = torch.device("cpu")
SPEC = tiny.TRAIN.clip_spec()


@pytest.fixture(scope="module")
def loaded(data: Path) -> TrainingData:
    return open_training_data(data, actions=ACTIONS)


@pytest.fixture(scope="module")
def whole(loaded: TrainingData) -> tuple[VideoRecord, ...]:
    """Full-length videos with labels."""
    return (*loaded.val, *loaded.test)


@pytest.fixture(scope="module")
def model() -> MVD:
    torch.manual_seed(0)
    preset = replace(PRESETS["vit_tiny"], image_size=32, num_frames=4, num_classes=3)
    return MVD(preset).eval()


def windows_of(
    records: tuple[VideoRecord, ...], most: int = 30, seed: int = 0
) -> ValidationWindows:
    return ValidationWindows(
        records, spec=SPEC, training_fps=tiny.FPS, actions=ACTIONS, most=most, seed=seed
    )


def record(key: str, num_frames: int) -> VideoRecord:
    return VideoRecord(
        key=key,
        dataset="val",
        path=Path(key),
        source=key,
        width=8,
        height=8,
        ethogram=Ethogram(num_frames, tiny.FPS),
        track=Track.from_boxes(num_frames, {}),
    )


def test_shares_are_judged_as_the_whole(whole: tuple[VideoRecord, ...], model: MVD) -> None:
    facts = {"spec": SPEC, "training_fps": tiny.FPS, "actions": ACTIONS}
    in_one = score_videos(model, whole, device=CPU, **facts)
    alone = judge_videos(in_one, whole, **facts)
    shares = share_videos(whole, parts=2)
    parts = [score_videos(model, [whole[i] for i in s], device=CPU, **facts) for s in shares]
    together = judge_videos(merge_shares(shares, parts), whole, **facts)

    assert (together.score, together.metrics) == (alone.score, alone.metrics)
    assert together.decoding == alone.decoding
    assert set(alone.scores) == {r.key for r in whole}
    for r in whole:
        np.testing.assert_array_equal(
            alone.scores[r.key].scores_TK, together.scores[r.key].scores_TK
        )
    assert alone.metrics[GROOMING]["average_precision"] is not None


@given(
    lengths=st.lists(st.integers(1, 1000), min_size=1, max_size=12),
    parts=st.integers(1, 5),
)
def test_shares_are_even_and_complete(lengths: list[int], parts: int) -> None:
    records = [record(str(i), n) for i, n in enumerate(lengths)]
    shares = share_videos(records, parts=parts)
    assert sorted(i for share in shares for i in share) == list(range(len(lengths)))
    loads = [sum(lengths[i] for i in share) for share in shares]
    assert max(loads) - min(loads) <= max(lengths)


def test_scores_of_other_videos_are_not_merged(whole: tuple[VideoRecord, ...], model: MVD) -> None:
    scores = score_videos(
        model, whole[:1], spec=SPEC, training_fps=tiny.FPS, actions=ACTIONS, device=CPU
    )
    with pytest.raises(ValueError, match="Process 1 was given 1 videos and returned scores of 0"):
        merge_shares([[0], [1]], [scores, []])


def test_windows_are_balanced_fixed_and_shared(whole: tuple[VideoRecord, ...], model: MVD) -> None:
    windows = windows_of(whole)
    scores = score_windows(model, windows, device=CPU, batch_size=7)
    counts = np.bincount(scores.target_NK.argmax(axis=1), minlength=3)
    assert counts.sum() == 30
    assert counts.min() >= 3  # ten of each; a twitch often fills less than half of its window
    again = score_windows(model, windows_of(whole), device=CPU, batch_size=7)
    np.testing.assert_array_equal(scores.target_NK, again.target_NK)
    np.testing.assert_array_equal(scores.logits_NK, again.logits_NK)

    parts = [
        score_windows(model, windows, device=CPU, batch_size=7, rank=rank, world_size=4)
        for rank in range(4)
    ]
    alone, shared = (judge_windows(p, actions=ACTIONS) for p in ([scores], parts))
    assert shared.pop("average_precision") == pytest.approx(alone.pop("average_precision"))
    assert shared == pytest.approx(alone, rel=1e-5)
    assert shared["windows"] == 30


def test_windows_show_what_their_targets_say(whole: tuple[VideoRecord, ...]) -> None:
    """The pixels of the tiny videos are red while grooming goes on and blue in a twitch."""
    windows = windows_of(whole)
    for index in range(len(windows)):
        item = windows[index]
        red, _, blue = (float(v) for v in item["frames"].float().mean(dim=(0, 1, 2)))
        target = dict(zip(ACTIONS.classes, item["target"].tolist(), strict=True))
        if target[GROOMING] == 1:
            assert red > blue
        if target[TWITCH] == 1:
            assert blue > red


def test_more_processes_than_windows(whole: tuple[VideoRecord, ...], model: MVD) -> None:
    windows = windows_of(whole, most=3)
    parts = [
        score_windows(model, windows, device=CPU, batch_size=2, rank=rank, world_size=5)
        for rank in range(5)
    ]
    assert sum(len(part.logits_NK) for part in parts) == 3
    assert judge_windows(parts, actions=ACTIONS)["windows"] == 3


def test_metrics_of_windows() -> None:
    target_NK = np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    right = judge_windows([WindowScores(20 * target_NK, target_NK)], actions=ACTIONS)
    names = ACTIONS.classes
    assert right["macro_f1"] == 1.0
    assert right["loss"] < 1e-6
    assert right["average_precision"] == {names[0]: 1.0, names[1]: 1.0, names[2]: None}
    wrong = judge_windows([WindowScores(20 * target_NK[::-1], target_NK)], actions=ACTIONS)
    assert wrong["macro_f1"] == 0.0
    assert wrong["loss"] == pytest.approx(20, abs=0.1)


def test_windows_come_from_what_is_not_trained_on(loaded: TrainingData, few: Path) -> None:
    def watched(data: TrainingData, *, samples: int = 4000) -> ValidationWindows | None:
        return windows_to_watch(
            data,
            config=tiny.TRAIN,
            actions=ACTIONS,
            training_fps=tiny.FPS,
            samples_per_epoch=samples,
        )

    of_val = watched(loaded)
    assert of_val is not None
    assert [r.key for r in of_val._records] == [r.key for r in loaded.val]
    assert len(of_val) == window_validation.MOST_WINDOWS
    fewer = watched(loaded, samples=200)
    assert fewer is not None
    assert len(fewer) == 50, "a small epoch wants a small look"
    without = open_training_data(few, actions=ACTIONS)
    of_clips = watched(without)
    assert of_clips is not None
    sources = {r.source for r in of_clips._records}
    assert len(sources) == 1
    only = replace(without, clips=tuple(c for c in without.clips if c.source not in sources))
    assert watched(only) is None, "nothing can be spared"


def test_long_video_is_not_decoded_to_its_end(
    whole: tuple[VideoRecord, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real: Callable[..., object] = window_validation.open_video

    def spy(path: Path, **options: object) -> object:
        reader = real(path, **options)
        get = reader.get_batch  # type: ignore[attr-defined]

        def counted(indices: tuple[int, ...]) -> object:
            asked.append(len(indices))
            return get(indices)

        monkeypatch.setattr(reader, "get_batch", counted)
        return reader

    monkeypatch.setattr(window_validation, "open_video", spy)
    windows = windows_of(whole, most=3)
    for index in range(3):
        windows[index]
    assert asked == [SPEC.num_frames] * 3
