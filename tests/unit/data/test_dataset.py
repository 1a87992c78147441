"""Training windows: frames, crop and target from one draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from mouse_ar.core.types import Box, ClipSpec, Ethogram, Interval, Track
from mouse_ar.core.windows import action_masks, class_targets, window_at
from mouse_ar.data.dataset import ClipDataset, ClipLibrary
from mouse_ar.data.decoded import DecodedClips
from mouse_ar.data.jitter import WindowJitter
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.data.sampling import Sample
from mouse_ar.data.stream import window_crop
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.video.reader import open_video
from tiny import ACTIONS, GROOMING, TWITCH

SPEC = ClipSpec(num_frames=8, sampling_rate=2, input_size=32)
LABELS = [(GROOMING, 12, 28), (TWITCH, 33, 35)]
SAMPLES = [Sample(0, start) for start in (-5, 0, 4, 9, 17, 25, 30)]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> VideoRecord:
    path = tiny.write_video(tmp_path_factory.mktemp("clip") / "c.mp4", LABELS, num_frames=40)
    return VideoRecord(
        key="Self-Grooming/c.mp4",
        dataset="Self-Grooming",
        path=path,
        source="c",
        width=tiny.SIDE,
        height=tiny.SIDE,
        ethogram=Ethogram(num_frames=40, fps=tiny.FPS, bouts=tiny.bouts(LABELS)),
        track=Track.from_boxes(40, {i: Box(4 + i, 6, 24 + i, 50) for i in range(40)}),
    )


def library(record: VideoRecord, spec: ClipSpec = SPEC, **options: Any) -> ClipLibrary:
    decoded = options.pop("decoded", DecodedClips(10**8))
    return ClipLibrary([record], specs=[spec], actions=ACTIONS, decoded=decoded, **options)


@pytest.mark.parametrize("budget", [0, 10**8])
def test_frames_crop_and_target_belong_to_the_same_window(record: VideoRecord, budget: int) -> None:
    clips = library(record, decoded=DecodedClips(budget)).windows(SAMPLES)
    with open_video(record.path) as reader:
        frames_THWC = reader.get_batch(range(40))
    masks = action_masks(record.ethogram, actions=ACTIONS)

    assert len(clips) == len(SAMPLES)
    for number, sample in enumerate(SAMPLES):
        item = clips[number]
        window = window_at(sample.start, num_frames=40, spec=SPEC)
        crop = window_crop(window, track=record.track, spec=SPEC, width=64, height=64)
        naive = [crop_and_resize(frames_THWC[i], crop=crop, size=32) for i in window.indices]
        np.testing.assert_array_equal(item["frames"].numpy(), np.stack(naive))
        np.testing.assert_array_equal(item["target"].numpy(), class_targets(window, masks))
        assert item["target"].sum() == pytest.approx(1)
        assert item["sample"] == number


def test_jitter_follows_seed_epoch_and_item(record: VideoRecord) -> None:
    def frames(epoch: int, seed: int, item: int) -> torch.Tensor:
        clips = library(record, jitter=WindowJitter(crop=0.3), seed=seed)
        return torch.as_tensor(clips.windows([Sample(0, 9)] * 4, epoch=epoch)[item]["frames"])

    assert torch.equal(frames(1, 0, 2), frames(1, 0, 2))
    for other in (frames(2, 0, 2), frames(1, 1, 2), frames(1, 0, 3)):
        assert not torch.equal(frames(1, 0, 2), other)


# The stripe of `tiny` steps by 3 pixels a frame: the picture alone tells which frame it is.
STRIPED = ClipSpec(num_frames=4, sampling_rate=4, input_size=64, crop_padding=0.0)


def shown(clips: ClipDataset, item: int, frames_THWC: np.ndarray) -> list[int]:
    """Which frames of the clip an item really holds."""
    pixels = clips[item]["frames"].numpy()
    return [
        int(np.abs(frames_THWC.astype(int) - frame_HWC).mean(axis=(1, 2, 3)).argmin())
        for frame_HWC in pixels
    ]


@pytest.mark.parametrize("start", [2, 9, 14, 22])
def test_target_is_of_the_frames_really_shown(record: VideoRecord, start: int) -> None:
    whole = replace(record, track=Track.from_boxes(40, {}))
    clips = library(whole, STRIPED, jitter=WindowJitter(step=0.5)).windows([Sample(0, start)] * 24)
    with open_video(record.path) as reader:
        frames_THWC = reader.get_batch(range(40))
    masks = action_masks(record.ethogram, actions=ACTIONS)
    steps = set()
    for item in range(24):
        indices = shown(clips, item, frames_THWC)
        step = indices[1] - indices[0]
        assert np.diff(indices).tolist() == [step] * 3
        window = window_at(indices[0], num_frames=40, spec=replace(STRIPED, sampling_rate=step))
        np.testing.assert_array_equal(clips[item]["target"].numpy(), class_targets(window, masks))
        steps.add(step)
    assert len(steps) >= 2


@settings(max_examples=150, deadline=None)
@given(
    start=st.integers(-8, 30),
    seed=st.integers(0, 500),
    uncertain=st.integers(0, 36),
)
def test_another_step_never_changes_what_a_window_speaks_of(
    start: int, seed: int, uncertain: int
) -> None:
    labels = [(GROOMING, 8, 17), (TWITCH, 27, 29)]
    record = VideoRecord(
        key="x/c.mp4",
        dataset="x",
        path=None,  # type: ignore[arg-type]
        source="c",
        width=8,
        height=8,
        ethogram=Ethogram(num_frames=40, fps=10, bouts=tiny.bouts(labels)),
        track=Track.from_boxes(40, {}),
        ignored=(Interval(uncertain, uncertain + 3),),
    )
    clips = library(record, STRIPED, jitter=WindowJitter(step=0.5), seed=seed)
    sample = Sample(0, start)
    plain = clips._plain(sample)
    other = clips._jittered(sample, plain, np.random.default_rng(seed))
    masks = action_masks(record.ethogram, actions=ACTIONS)
    targets = [class_targets(w, masks) > 0 for w in (plain, other)]
    assert targets[0].tolist() == targets[1].tolist()
    if other != plain:
        half = range(
            other.interval.start + other.interval.length // 4,
            other.interval.start + other.interval.length // 4 + other.interval.length // 2,
        )
        assert not set(half) & set(range(uncertain, uncertain + 3))


def test_control_pairs_pixels_with_other_targets(record: VideoRecord) -> None:
    clips = library(record)
    plain = [clips.windows(SAMPLES)[i] for i in range(len(SAMPLES))]
    control = clips.windows(SAMPLES, labels=SAMPLES[::-1])
    for index, item in enumerate(plain):
        assert torch.equal(control[index]["frames"], item["frames"])
        assert torch.equal(control[index]["target"], plain[-1 - index]["target"])


def test_items_know_their_clip(record: VideoRecord) -> None:
    assert library(record).windows(SAMPLES).name(2) == "Self-Grooming/c.mp4"
