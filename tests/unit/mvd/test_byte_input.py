"""Pixels as they are stored give the logits of normalised ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mouse_ar.data.pixels import MEAN, STD, normalise
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.mvd.byte_input import ByteMVD


def model() -> MVD:
    torch.manual_seed(0)
    made = MVD(replace(PRESETS["vit_tiny"], image_size=32, num_frames=4)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize("low", [False, True])
@torch.inference_mode()
def test_same_logits(low: bool) -> None:
    network = model()
    frames = torch.randint(0, 256, (3, 4, 32, 32, 3), dtype=torch.uint8)
    frames[1] = 255
    expected = network(normalise(frames))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
        found = ByteMVD(network, mean=MEAN, std=STD)(frames)
    assert expected.std() > 0.05  # the comparison means something
    tolerance = 0.05 * float(expected.abs().max()) if low else 1e-4
    torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=0)


def test_other_shapes_and_types_are_told() -> None:
    network = ByteMVD(model(), mean=MEAN, std=STD)
    with pytest.raises(ValueError, match=r"expected uint8 \(N, 4, 32, 32, 3\)"):
        network(torch.zeros(1, 4, 32, 32, 3))
    with pytest.raises(ValueError, match=r"shape \(1, 8, 32, 32, 3\)"):
        network(torch.zeros(1, 8, 32, 32, 3, dtype=torch.uint8))
