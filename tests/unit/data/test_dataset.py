"""Training windows: frames, crop and target from one draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import tiny
from mouse_ar.core.cropping import CropBox
from mouse_ar.core.types import Box, ClipSpec, Ethogram, Track
from mouse_ar.core.windows import action_masks, class_targets, window_at
from mouse_ar.data.dataset import Augmentation, ClipDataset, _DecodedClips
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


def dataset(record: VideoRecord, **options: object) -> ClipDataset:
    return ClipDataset([record], specs=[SPEC], actions=ACTIONS, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("cache_mb", [0, 100])
def test_frames_crop_and_target_belong_to_the_same_window(
    record: VideoRecord, cache_mb: int
) -> None:
    clips = dataset(record, cache_mb=cache_mb)
    clips.set_epoch(0, SAMPLES)
    with open_video(record.path) as reader:
        frames_THWC = reader.get_batch(range(40))
    masks = action_masks(record.ethogram, actions=ACTIONS)

    assert len(clips) == len(SAMPLES)
    for item, sample in zip((clips[i] for i in range(len(clips))), SAMPLES, strict=True):
        window = window_at(sample.start, num_frames=40, spec=SPEC)
        crop = window_crop(window, track=record.track, spec=SPEC, width=64, height=64)
        naive = [crop_and_resize(frames_THWC[i], crop=crop, size=32) for i in window.indices]
        np.testing.assert_array_equal(item["frames"].numpy(), np.stack(naive))
        np.testing.assert_array_equal(item["target"].numpy(), class_targets(window, masks))
        assert item["target"].sum() == pytest.approx(1)


def test_augmentation_follows_seed_epoch_and_item(record: VideoRecord) -> None:
    def frames(epoch: int, seed: int, item: int) -> torch.Tensor:
        clips = dataset(record, augmentation=Augmentation(), seed=seed)
        clips.set_epoch(epoch, [Sample(0, 9)] * 4)
        return torch.as_tensor(clips[item]["frames"])

    assert torch.equal(frames(1, 0, 2), frames(1, 0, 2))
    for other in (frames(2, 0, 2), frames(1, 1, 2), frames(1, 0, 3)):
        assert not torch.equal(frames(1, 0, 2), other)


def test_augmentation_is_the_same_for_all_frames_of_a_window() -> None:
    """A still scene stays still: no change may look like motion."""
    still = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    for seed in range(8):
        frames = Augmentation().pixels(np.repeat(still, 6, axis=0), np.random.default_rng(seed))
        assert (frames == frames[:1]).all()


@pytest.mark.parametrize(("flip", "poses"), [("none", 1), ("horizontal", 2), ("dihedral", 8)])
def test_flips_give_every_pose_of_their_kind(flip: str, poses: int) -> None:
    frames = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    rng = np.random.default_rng(0)
    seen = {Augmentation(flip=flip, color=0).pixels(frames, rng).tobytes() for _ in range(120)}
    turned = [np.rot90(frames, k, axes=(1, 2)) for k in range(4)]
    possible = {f.tobytes() for t in turned for f in (t, t[:, :, ::-1])}
    assert len(seen) == poses
    assert seen <= possible


def test_jittered_crop_stays_near() -> None:
    crop, rng = CropBox(100, 50, 80), np.random.default_rng(1)
    squares = [Augmentation(jitter=0.1).crop(crop, rng) for _ in range(50)]
    assert len(set(squares)) > 20
    for square in squares:
        assert abs(square.side - 80) <= 8
        assert abs(square.left + square.side / 2 - 140) <= 9
        assert abs(square.top + square.side / 2 - 90) <= 9
    assert Augmentation(jitter=0).crop(crop, rng) == crop


def test_control_pairs_pixels_with_other_targets(record: VideoRecord) -> None:
    clips = dataset(record)
    clips.set_epoch(0, SAMPLES)
    plain = [clips[i] for i in range(len(SAMPLES))]
    clips.set_epoch(0, SAMPLES, labels=SAMPLES[::-1])
    for index, item in enumerate(plain):
        assert torch.equal(clips[index]["frames"], item["frames"])
        assert torch.equal(clips[index]["target"], plain[-1 - index]["target"])


def test_memory_keeps_to_its_budget(record: VideoRecord) -> None:
    size = 40 * tiny.SIDE * tiny.SIDE * 3
    clips = dataset(record, cache_mb=1)
    clips.set_epoch(0, SAMPLES)
    _ = clips[0]
    assert clips._cache._used == size <= 1_000_000
    none = dataset(record, cache_mb=0)
    none.set_epoch(0, SAMPLES)
    _ = none[0]
    assert none._cache._used == 0


def test_clip_in_memory_stays_when_the_next_does_not_fit(record: VideoRecord) -> None:
    other = replace(record, path=tiny.write_video(record.path.with_name("o.mp4"), num_frames=40))
    clips = ClipDataset([record, other], specs=[SPEC] * 2, actions=ACTIONS, cache_mb=0)
    clips._cache = _DecodedClips(40 * tiny.SIDE * tiny.SIDE * 3)
    clips.set_epoch(0, [Sample(0, 4), Sample(1, 4)])
    _ = clips[0], clips[1]
    assert list(clips._cache._clips) == [record.path]
