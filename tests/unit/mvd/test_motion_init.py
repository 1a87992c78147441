from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mouse_ar.mvd import MVD, PRESETS, motion_init


def tokens(model: MVD, video_NCTHW: torch.Tensor) -> torch.Tensor:
    return model.patch_embed(video_NCTHW)


def test_most_filters_answer_to_change_and_not_to_a_still_picture() -> None:
    model = MVD(PRESETS["vit_tiny"])
    motion_init(model, seed=0)
    rng = torch.Generator().manual_seed(1)
    picture = torch.randn(1, 3, 1, 32, 32, generator=rng)
    still = picture.expand(-1, -1, 16, -1, -1)
    shaking = still.clone()
    shaking[:, :, 1::2] = shaking[:, :, 1::2].roll(2, dims=-1)
    bias = model.patch_embed.proj.bias
    quiet = (tokens(model, still) - bias).abs().mean(dim=(0, 1))
    moved = (tokens(model, shaking) - bias).abs().mean(dim=(0, 1))
    motion = quiet < 1e-4
    assert motion.sum() == 72  # three in four of 96
    assert (moved[motion] > 0.1).all()
    assert (quiet[~motion] > 1e-3).all()


def test_only_the_embedding_changes_and_the_seed_decides() -> None:
    torch.manual_seed(0)
    model = MVD(PRESETS["vit_tiny"])
    before = {k: v.clone() for k, v in model.state_dict().items()}
    motion_init(model, seed=3)
    changed = [k for k, v in model.state_dict().items() if not torch.equal(v, before[k])]
    assert changed == ["patch_embed.proj.weight"]
    first = model.patch_embed.proj.weight.clone()
    motion_init(model, seed=3)
    assert torch.equal(first, model.patch_embed.proj.weight)
    motion_init(model, seed=4)
    assert not torch.equal(first, model.patch_embed.proj.weight)


def test_single_frame_tubelets_are_refused() -> None:
    model = MVD(replace(PRESETS["vit_tiny"], tubelet_size=1))
    with pytest.raises(ValueError, match="tubelet_size >= 2, got 1"):
        motion_init(model, seed=0)
