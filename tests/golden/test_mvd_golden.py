"""The model reproduces the outputs of the original public implementation."""

from __future__ import annotations

import zlib
from ast import literal_eval
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mouse_ar.mvd import MVD, MVDConfig


def golden_weight(key: str, *, shape: tuple[int, ...]) -> torch.Tensor:
    """The deterministic weights that the golden values were computed with."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    weight = rng.standard_normal(shape).astype(np.float32)
    is_norm = key.endswith(("norm1.weight", "norm2.weight", "fc_norm.weight"))
    return torch.from_numpy(1 + 0.1 * weight if is_norm else 0.05 * weight)


@pytest.fixture(scope="module", params=["mvd_tiny_8x64", "mvd_small_16x224"])
def golden(request: pytest.FixtureRequest, shared_golden: Path) -> tuple[MVD, dict[str, Any]]:
    """The model with the golden weights, and the golden values."""
    with np.load(shared_golden / f"{request.param}.npz") as file:
        values = dict(file)
    names = ("image_size", "num_frames", "embed_dim", "depth", "num_heads")
    model = MVD(MVDConfig(num_classes=3, **{name: int(values[name]) for name in names}))
    shapes = dict(zip(map(str, values["keys"]), map(str, values["shapes"]), strict=True))
    weights = {key: golden_weight(key, shape=literal_eval(s)) for key, s in shapes.items()}
    assert set(model.state_dict()) == set(weights)
    model.load_state_dict(weights)
    return model.eval(), values


def test_features_and_logits_match_the_original(golden: tuple[MVD, dict[str, Any]]) -> None:
    model, values = golden
    config = model.config
    shape = (2, 3, config.num_frames, config.image_size, config.image_size)
    pixels = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
    with torch.inference_mode():
        features = model.forward_features(torch.from_numpy(pixels))
        logits = model(torch.from_numpy(pixels))
    np.testing.assert_allclose(features, values["features"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits, values["logits"], rtol=0, atol=1e-5)
