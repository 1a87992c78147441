"""The estimate of memory: right in its parts, and in order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.memory import training_memory_bytes


def test_each_window_costs_the_same() -> None:
    sizes = [training_memory_bytes(TrainConfig(batch_size=n)) for n in (1, 2, 9)]
    assert sizes[2] - sizes[0] == pytest.approx(8 * (sizes[1] - sizes[0]))


def test_averaged_weights_cost_four_bytes_a_weight() -> None:
    weights = sum(parameter.numel() for parameter in MVD(PRESETS["vit_small"]).parameters())
    plain = training_memory_bytes(TrainConfig())
    averaged = training_memory_bytes(TrainConfig(ema_decay=0.99))
    assert (averaged - plain) / 4 == pytest.approx(weights, rel=0.02)


def test_vit_small_fits_a_gpu_of_eight_gigabytes_and_vit_large_does_not() -> None:
    config = TrainConfig()
    assert (
        training_memory_bytes(config)
        < 8e9
        < training_memory_bytes(replace(config, model="vit_large"))
    )
