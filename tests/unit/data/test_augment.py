"""Random changes of batches: the same for all frames, decided by epoch and item alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.data.augment import BatchAugmentation, PixelChanges, plain_inputs
from mouse_ar.data.pixels import MEAN, STD, normalise

SIDE = 16
EVERYTHING = PixelChanges(
    flip="dihedral",
    color=0.3,
    gamma=0.3,
    saturation=0.3,
    erase=0.5,
    mix=0.6,
    mixup=0.4,
    cutmix=1.0,
)


def batch(
    number: int = 8, *, first: int = 0, frames: int = 4, still: bool = False, grey: bool = False
) -> dict[str, Any]:
    """Windows whose pixels and targets follow from their numbers."""
    windows, targets = [], []
    for sample in range(first, first + number):
        rng = np.random.default_rng(sample)
        pixels = rng.integers(0, 256, (frames, SIDE, SIDE, 3)).astype(np.uint8)
        pixels = np.repeat(pixels[:1], frames, axis=0) if still else pixels
        windows.append(np.repeat(pixels[..., :1], 3, axis=-1) if grey else pixels)
        targets.append(rng.dirichlet(np.ones(3)).astype(np.float32))
    return {
        "frames": torch.from_numpy(np.stack(windows)),
        "target": torch.from_numpy(np.stack(targets)),
        "sample": torch.arange(first, first + number),
    }


def changed(
    loaded: dict[str, Any], *, epoch: int = 0, seed: int = 0, **changes: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    made = PixelChanges(**changes) if changes else EVERYTHING
    return BatchAugmentation(made, seed=seed)(loaded, epoch=epoch)


def seen(inputs_NCTHW: torch.Tensor) -> torch.Tensor:
    """Back to 0..1."""
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (MEAN, STD))
    return inputs_NCTHW * std + mean


def test_without_changes_it_is_plain_normalisation() -> None:
    loaded = batch()
    inputs, target = BatchAugmentation(PixelChanges())(loaded, epoch=3)
    torch.testing.assert_close(inputs, normalise(loaded["frames"]))
    assert torch.equal(target, loaded["target"])
    plain, plain_target = plain_inputs(loaded)
    torch.testing.assert_close(plain, inputs)
    assert torch.equal(plain_target, target)
    assert inputs.is_contiguous()


def test_loaded_pixels_are_left_alone() -> None:
    loaded = batch()
    before = {name: value.clone() for name, value in loaded.items()}
    _ = changed(loaded)
    assert all(torch.equal(loaded[name], value) for name, value in before.items())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), epoch=st.integers(0, 50))
def test_still_scene_stays_still(seed: int, epoch: int) -> None:
    """No change may look like motion."""
    inputs, _ = changed(batch(4, still=True), seed=seed, epoch=epoch)
    assert torch.equal(inputs, inputs[:, :, :1].expand_as(inputs))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.sampled_from([[8, 8], [4, 12], [2, 4, 10], [16]]))
def test_changes_do_not_depend_on_how_the_epoch_is_cut_into_batches(
    seed: int, cuts: list[int]
) -> None:
    whole = changed(batch(16), seed=seed)
    parts, at = [], 0
    for number in cuts:
        parts.append(changed(batch(number, first=at), seed=seed))
        at += number
    torch.testing.assert_close(torch.cat([p[0] for p in parts]), whole[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.cat([p[1] for p in parts]), whole[1])


def test_they_follow_seed_epoch_and_item() -> None:
    first = changed(batch())
    again = changed(batch())
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    for other in (changed(batch(), epoch=1), changed(batch(), seed=1)):
        assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(("flip", "poses"), [("none", 1), ("horizontal", 2), ("dihedral", 8)])
def test_flips_give_every_pose_of_their_kind_equally(flip: str, poses: int) -> None:
    loaded = batch(800, frames=2)
    loaded["frames"][:] = loaded["frames"][:1].clone()
    inputs, _ = changed(loaded, flip=flip)
    found, counts = np.unique(inputs.flatten(1).numpy().round(4), axis=0, return_counts=True)
    assert len(found) == poses
    assert counts.min() > 0.6 * 800 / poses
    plain = normalise(loaded["frames"][:1])[0]
    possible = [torch.rot90(p, k, dims=(-2, -1)) for p in (plain, plain.flip(-1)) for k in range(4)]
    for pose in found:
        assert any(np.allclose(pose, p.flatten().numpy(), atol=1e-3) for p in possible)


def test_gamma_is_within_its_range_both_ways() -> None:
    loaded = batch(200)
    loaded["frames"][:] = 128
    inputs, _ = changed(loaded, gamma=0.25)
    exponents = torch.log(seen(inputs)[:, 0, 0, 0, 0]) / np.log(128 / 255)
    assert exponents.min() > 0.79
    assert exponents.max() < 1.26
    assert exponents.min() < 0.85
    assert exponents.max() > 1.18


def test_contrast_and_brightness_are_factors_about_the_mean_of_the_window() -> None:
    loaded = batch(200, grey=True)
    loaded["frames"] = loaded["frames"] // 4 + 60
    plain, made = (seen(i) for i in (plain_inputs(loaded)[0], changed(loaded, color=0.2)[0]))
    brightness = made.mean(dim=(1, 2, 3, 4)) / plain.mean(dim=(1, 2, 3, 4))
    contrast = made.std(dim=(1, 2, 3, 4)) / plain.std(dim=(1, 2, 3, 4)) / brightness
    for factors in (brightness, contrast):
        assert 0.79 < factors.min() < 0.85
        assert 1.15 < factors.max() < 1.21
    assert abs(np.corrcoef(brightness, contrast)[0, 1]) < 0.3


def test_saturation_changes_colour_and_nothing_else() -> None:
    grey = batch(20, grey=True)
    torch.testing.assert_close(
        changed(grey, saturation=0.5)[0], plain_inputs(grey)[0], atol=2e-3, rtol=0
    )
    loaded = batch(100)
    loaded["frames"] = loaded["frames"] // 3 + 85  # nothing is clipped
    made, plain = (seen(i) for i in (changed(loaded, saturation=0.5)[0], plain_inputs(loaded)[0]))
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1, 1)
    torch.testing.assert_close((made * weights).sum(1), (plain * weights).sum(1), atol=2e-3, rtol=0)
    spread = made.std(dim=1).mean(dim=(1, 2, 3)) / plain.std(dim=1).mean(dim=(1, 2, 3))
    assert 0.49 < spread.min() < 0.6
    assert 1.4 < spread.max() < 1.51


def test_erased_is_one_rectangle_of_the_right_size_in_the_right_share_of_windows() -> None:
    loaded = batch(600, frames=2)
    loaded["frames"][:] = 255
    inputs, _ = changed(loaded, erase=0.3)
    blank_NTHW = (seen(inputs) * 255 - 128).abs().amax(dim=1) < 0.01
    assert torch.equal(blank_NTHW[:, 0], blank_NTHW[:, 1])
    erased = [b.numpy() for b in blank_NTHW[:, 0] if b.any()]
    assert 0.24 < len(erased) / 600 < 0.36
    for blank_HW in erased:
        rows, columns = np.flatnonzero(blank_HW.any(1)), np.flatnonzero(blank_HW.any(0))
        assert blank_HW.sum() == len(rows) * len(columns)
        assert np.ptp(rows) + 1 == len(rows)
        assert 0.01 <= blank_HW.mean() <= 0.24
    assert np.any([b[0].any() for b in erased])
    assert np.any([b[-1].any() for b in erased])


def test_pairs_blend_pixels_and_targets_alike() -> None:
    loaded = batch(200, frames=2)
    plain, plain_target = plain_inputs(loaded)
    inputs, target = changed(loaded, mix=0.5, mixup=1.0)
    mixed = 0
    for item in range(200):
        other = item ^ 1
        apart = plain[item] - plain[other]
        own = float(((inputs[item] - plain[other]) * apart).sum() / (apart**2).sum())
        torch.testing.assert_close(inputs[item], plain[other] + own * apart, atol=1e-4, rtol=0)
        torch.testing.assert_close(
            target[item],
            plain_target[other] + own * (plain_target[item] - plain_target[other]),
            atol=1e-4,
            rtol=0,
        )
        assert own > 0.499
        mixed += own < 1 - 1e-4
    assert 70 < mixed < 130
    torch.testing.assert_close(target.sum(dim=1), torch.ones(200))


def test_pairs_swap_a_rectangle_and_targets_follow_its_area() -> None:
    loaded = batch(200, frames=2)
    plain, plain_target = plain_inputs(loaded)
    inputs, target = changed(loaded, mix=1.0, cutmix=1.0)
    shares = []
    for item in range(200):
        own_HW = (inputs[item] == plain[item]).all(dim=(0))[0]
        others_HW = (inputs[item] == plain[item ^ 1]).all(dim=0)[0]
        assert bool((own_HW | others_HW).all())
        share = float(own_HW.float().mean())
        torch.testing.assert_close(
            target[item],
            share * plain_target[item] + (1 - share) * plain_target[item ^ 1],
            atol=1e-5,
            rtol=0,
        )
        shares.append(share)
    assert min(shares) < 0.3
    assert max(shares) > 0.9


def test_window_whose_partner_is_not_here_stays_whole() -> None:
    loaded = batch(3, first=1)  # 1 | 2 3
    inputs, target = changed(loaded, mix=1.0, mixup=1.0)
    plain, plain_target = plain_inputs(loaded)
    torch.testing.assert_close(inputs[0], plain[0])
    assert torch.equal(target[0], plain_target[0])
    assert not torch.equal(target[1], plain_target[1])
