"""The clips of a run: what epochs draw, what is told about them, what a resumed run needs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny
from mouse_ar.core.types import Ethogram, Track
from mouse_ar.data.sampling import Sample
from mouse_ar.data.training_data import TrainingData, open_training_data
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from tiny import ACTIONS


def clips(data: Path, config: TrainConfig = tiny.TRAIN) -> TrainingClips:
    return TrainingClips(open_training_data(data, actions=ACTIONS), config=config, actions=ACTIONS)


def idle_more(data: TrainingData, times: int) -> TrainingData:
    """The same with every idle clip several times as long, on paper."""
    changed = [
        replace(
            r,
            ethogram=Ethogram(num_frames=r.num_frames * times, fps=r.fps, bouts=()),
            track=Track.from_boxes(r.num_frames * times, {}),
        )
        if r.dataset == "idle"
        else r
        for r in data.clips
    ]
    return replace(data, clips=tuple(changed))


def test_prior_is_the_mean_target_of_what_is_drawn(data: Path) -> None:
    opened = clips(data, replace(tiny.TRAIN, samples_per_epoch=40))
    epoch = opened.epoch(0)
    mean = np.mean([epoch[i]["target"].numpy() for i in range(40)], axis=0)
    torch.testing.assert_close(opened.class_prior, torch.from_numpy(mean))
    assert opened.class_prior.dtype == torch.float32
    assert float(opened.class_prior.sum()) == pytest.approx(1)
    assert opened.class_prior.min() > 0


def test_items_are_named_by_their_clip(data: Path) -> None:
    opened = clips(data)
    assert opened.names([0]) == []
    epoch = opened.epoch(3)
    names = opened.names(torch.tensor([5, 0]))
    assert names == [epoch.name(5), epoch.name(0)]
    assert all(name.split("/")[0] in ACTIONS.datasets for name in names)


def test_hard_windows_come_back_with_the_state(data: Path) -> None:
    config = replace(tiny.TRAIN, hard_negatives=0.5)
    first, resumed = clips(data, config), clips(data, config)
    found, dataset = first.idle_candidates(6, epoch=0)
    assert len(dataset) == len(found)
    first.set_hard(found[:2])

    def drawn(opened: TrainingClips) -> list[Sample]:
        return list(opened.epoch(4)._samples)

    assert drawn(first) != drawn(resumed)
    resumed.load_state(json.loads(json.dumps(first.state())))
    assert drawn(first) == drawn(resumed)
    assert sum(s in found[:2] for s in drawn(first)) >= 5


def test_pool_is_what_preprocessing_left_over(data: Path) -> None:
    opened = open_training_data(data, actions=ACTIONS)

    def has_pool(source: TrainingData) -> bool:
        return TrainingClips(source, config=tiny.TRAIN, actions=ACTIONS).has_idle_pool

    assert not has_pool(opened)
    assert has_pool(idle_more(opened, 2))


def test_settings_reach_the_changes(data: Path) -> None:
    def inputs(**changes: object) -> torch.Tensor:
        off = {"flip": "none", "color_jitter": 0.0, "gamma_jitter": 0.0, "saturation_jitter": 0.0}
        off |= {"reprob": 0.0, "mixup_prob": 0.0}
        config = replace(tiny.TRAIN, **(off | changes))  # type: ignore[arg-type]
        pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 8, 8, 3))
        batch = {
            "frames": torch.from_numpy(pixels.astype(np.uint8)),
            "target": torch.eye(3).repeat(4, 1),
            "sample": torch.arange(12),
        }
        return clips(data, config).augmentation(torch.device("cpu"))(batch, epoch=0)[0]

    plain = inputs()
    for change in (
        {"flip": "horizontal"},
        {"color_jitter": 0.2},
        {"gamma_jitter": 0.2},
        {"saturation_jitter": 0.3},
        {"reprob": 1.0},
        {"mixup_prob": 1.0},
        {"mixup_prob": 1.0, "mixup": 0.0, "cutmix": 1.0},
    ):
        assert not torch.equal(inputs(**change), plain), change


@pytest.mark.parametrize("name", ["jitter", "color_jitter", "saturation_jitter", "temporal_jitter"])
def test_shares_of_one_and_more_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be within \[0, 1\), got 1"):
        replace(tiny.TRAIN, **{name: 1.0})
