"""Schedule, optimiser groups, settings, held-out clips."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from mouse_ar.core.types import Ethogram, Track
from mouse_ar.data.training_data import TrainingData, VideoRecord, open_training_data
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.optim import build_optimizer, learning_rate, scaled_lr
from mouse_ar.training.validation import split_clips
from tiny import ACTIONS, GROOMING, TWITCH


def test_schedule_warms_up_and_ends_at_the_floor() -> None:
    config = TrainConfig(epochs=10, warmup_epochs=2, lr=1e-3, batch_size=32, min_lr=0.1)
    rates = [learning_rate(step, config=config, steps_per_epoch=5) for step in range(51)]
    peak = 1e-3 * 32 / 256
    assert scaled_lr(config) == pytest.approx(peak)
    assert rates[0] == pytest.approx(peak / 10)
    assert max(rates) == pytest.approx(peak)
    assert rates.index(max(rates)) in (9, 10)
    assert all(a <= b for a, b in pairwise(rates[:10]))
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[50] == pytest.approx(0.1 * peak)
    middle = 0.1 * peak + 0.9 * peak * 0.5 * (1 + math.cos(math.pi / 2))
    assert rates[30] == pytest.approx(middle)


def test_layers_have_their_rates_and_every_parameter_is_there_once() -> None:
    model = MVD(replace(PRESETS["vit_tiny"], image_size=32, num_frames=4))
    config = replace(tiny.TRAIN, layer_decay=0.5, weight_decay=0.05)
    optimizer = build_optimizer(model, config)
    groups = optimizer.param_groups
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(model.parameters()))
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    assert scale[id(named["head.weight"])] == 1.0
    assert min(scale.values()) == scale[id(named["patch_embed.proj.weight"])] == 0.5**3
    assert decay[id(named["head.weight"])] == 0.05
    assert decay[id(named["head.bias"])] == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "vit_nano"}, "Unknown model 'vit_nano'; allowed: vit_tiny"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"lr": 0.0}, "lr must be positive"),
        ({"lr": float("nan")}, "lr must be positive"),
        ({"drop_path": 1.0}, r"drop_path must be within \[0, 1\)"),
        ({"num_workers": -1}, "num_workers must not be negative"),
        ({"sampling_rate": 0}, "sampling_rate must be >= 1"),
        ({"speed": 3}, "Unknown training setting"),
        ({"epochs": "ten"}, "Setting epochs expects int, got 'ten'"),
    ],
)
def test_wrong_settings_are_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_dict(change)


def test_settings_survive_plain_values() -> None:
    config = TrainConfig.from_dict({"lr": "5e-4", "epochs": 3, "pretrained": None})
    assert config.lr == 5e-4
    assert TrainConfig.from_dict(config.to_dict()) == config


def record(source: str, *labels: tuple[str, int, int]) -> VideoRecord:
    return VideoRecord(
        key=f"x/{source}",
        dataset="idle" if not labels else ACTIONS.dataset_of(labels[0][0]),
        path=Path(source),
        source=source,
        width=8,
        height=8,
        ethogram=Ethogram(num_frames=30, fps=10, bouts=tiny.bouts(labels)),
        track=Track.from_boxes(30, {}),
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([None, GROOMING, TWITCH])),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 5),
)
def test_held_out_clips_share_no_source_and_cost_no_action(
    clips: list[tuple[int, str | None]], seed: int
) -> None:
    records = [record(f"s{s}", *([(name, 5, 9)] if name else [])) for s, name in clips]

    train, held = split_clips(records, actions=ACTIONS.names, seed=seed)

    assert len(train) + len(held) == len(records)
    assert not {r.source for r in train} & {r.source for r in held}
    for action in ACTIONS.names:
        if any(r.ethogram.of(action) for r in records):
            assert any(r.ethogram.of(action) for r in train)
    # Windows can be drawn from what is held out.
    assert not held or any(r.ethogram.bouts for r in held)


def test_targets_of_an_epoch_hold_every_class(data: Path) -> None:
    opened = open_training_data(data, actions=ACTIONS)
    clips = TrainingClips(opened, config=tiny.TRAIN, actions=ACTIONS)
    epoch = clips.epoch(0)
    targets_NK = np.stack([epoch[i]["target"].numpy() for i in range(len(epoch))])
    assert len(epoch) == tiny.TRAIN.samples_per_epoch
    counts = np.bincount(targets_NK.argmax(axis=1), minlength=3)
    assert counts[0] >= 10
    assert (targets_NK[:, 1] > 0).sum() >= 5
    assert (targets_NK[:, 2] > 0).sum() >= 5


def test_control_keeps_the_targets_but_shuffles_them(data: Path) -> None:
    opened = open_training_data(data, actions=ACTIONS)

    def targets(*, shuffle: bool) -> list[list[float]]:
        config = replace(tiny.TRAIN, shuffle_labels=shuffle, samples_per_epoch=60)
        epoch = TrainingClips(opened, config=config, actions=ACTIONS).epoch(0)
        return [epoch[i]["target"].tolist() for i in range(len(epoch))]

    plain, shuffled = targets(shuffle=False), targets(shuffle=True)
    assert plain != shuffled
    assert sorted(plain) == sorted(shuffled)


def test_fingerprint_of_a_run_follows_settings_and_data(data: Path, few: Path) -> None:
    def of(source: TrainingData, config: TrainConfig) -> str:
        return TrainingClips(source, config=config, actions=ACTIONS).fingerprint

    seven, four = (open_training_data(path, actions=ACTIONS) for path in (data, few))
    prints = [of(seven, tiny.TRAIN), of(seven, replace(tiny.TRAIN, lr=0.1)), of(four, tiny.TRAIN)]
    assert len(set(prints)) == 3
    assert of(seven, tiny.TRAIN) == prints[0]
    assert of(seven, replace(tiny.TRAIN, num_workers=2, cache_mb=1)) == prints[0]


def test_what_validation_judges_on_is_told(few: Path) -> None:
    opened = open_training_data(few, actions=ACTIONS)
    alone = replace(
        opened, clips=tuple(r for r in opened.clips if r.source == opened.clips[0].source)
    )
    told = [TrainingClips(d, config=tiny.TRAIN, actions=ACTIONS).judged_on for d in (opened, alone)]
    assert told == ["held-out clips", "the training clips themselves"]
