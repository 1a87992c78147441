"""The share of the light that a cast shadow takes."""

from __future__ import annotations

import numpy as np
import pytest

from mouse_ar.detection.segmentation import Blob, as_mask, body_box
from mouse_ar.detection.shadow import shadow_limit


def region(
    shadow: float | None,
    *,
    coat: float = 0.7,
    rows: int = 20,
    seed: int = 0,
    is_darker: bool = True,
) -> Blob:
    """A mouse of 60 pixels width with a shadow in the last rows of 50."""
    rng = np.random.default_rng(seed)
    strength_HW = rng.normal(coat, 0.05, (50, 60))
    strength_HW[50 - rows :] = rng.normal(coat if shadow is None else shadow, 0.02, (rows, 60))
    return Blob(
        left=10,
        top=20,
        mask_HW=as_mask(np.ones((50, 60), dtype=np.bool_)),
        is_darker=is_darker,
        strength_HW=strength_HW.astype(np.float32),
        area_px=3000,
        contrast=100.0,
    )


@pytest.mark.parametrize("share", [0.42, 0.46, 0.5])
def test_a_shadow_is_told_from_the_coat(share: float) -> None:
    limit = shadow_limit(region(share, seed=n) for n in range(20))
    assert limit is not None
    assert share < limit < 0.65
    box = body_box(region(share), core=0.5, thin=0.2, shadow=limit)
    assert box.bottom == pytest.approx(50, abs=2)


@pytest.mark.parametrize(("share", "rows"), [(0.25, 20), (0.45, 7)])
def test_a_shadow_that_hardly_widens_the_box_is_let_be(share: float, rows: int) -> None:
    """A faint one is below what counts as body anyway; a contact shadow is narrow."""
    assert shadow_limit(region(share, rows=rows, seed=n) for n in range(20)) is None


def test_without_a_shadow_there_is_no_limit() -> None:
    assert shadow_limit(region(None, seed=n) for n in range(20)) is None


def test_a_coat_of_two_shades_is_no_shadow() -> None:
    assert shadow_limit(region(0.62, coat=0.68, seed=n) for n in range(20)) is None


def test_an_animal_whose_shade_varies_with_its_pose_casts_none() -> None:
    shares = np.linspace(0.2, 0.6, 20)
    assert shadow_limit(region(share, seed=n) for n, share in enumerate(shares)) is None


def test_few_regions_tell_nothing() -> None:
    assert shadow_limit([region(0.4)] * 3) is None
    assert shadow_limit([]) is None


def test_light_animals_do_not_count() -> None:
    assert shadow_limit(region(0.4, is_darker=False) for _ in range(20)) is None


def test_an_animal_in_the_shade_is_not_cut_away() -> None:
    box = body_box(region(None, coat=0.4), core=0.5, thin=0.2, shadow=0.6)
    assert box.bottom - box.top > 40
