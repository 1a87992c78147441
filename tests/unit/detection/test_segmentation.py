"""From masks to bodies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.detection.segmentation import Blob, as_mask, body_box, find_blobs


def blob_of(mask: np.ndarray) -> Blob:
    return Blob(
        left=0,
        top=0,
        mask_HW=as_mask(mask),
        is_darker=True,
        strength_HW=np.where(mask, 1.0, 0.0).astype(np.float32),
        area_px=int(mask.sum()),
        contrast=100.0,
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    thin=st.floats(0, 0.95),
)
def test_every_region_has_a_body_within_it(seed: int, size: tuple[int, int], thin: float) -> None:
    mask = np.random.default_rng(seed).random(size) < 0.8
    mask[0, 0] = True
    box = body_box(blob_of(mask), core=0.5, thin=thin)
    assert 0 <= box.left < box.right <= size[1]
    assert 0 <= box.top < box.bottom <= size[0]


def test_keeps_everything_when_nothing_is_thin() -> None:
    mask = np.zeros((30, 50), dtype=bool)
    mask[5:25, 5:30] = True
    mask[14:16, 30:48] = True
    assert body_box(blob_of(mask), core=0.0, thin=0.0).right == 48
    assert body_box(blob_of(mask), core=0.0, thin=0.3).right == pytest.approx(30, abs=3)


def test_regions_come_largest_first_and_specks_are_left_out() -> None:
    background = np.full((100, 160, 3), 200, np.uint8)
    frame = background.copy()
    frame[10:20, 10:20] = 30
    frame[40:80, 60:120] = 30
    frame[90, 150] = 30
    blobs = find_blobs(
        frame,
        background_HWC=background,
        threshold_HW=np.full((100, 160), 20, np.uint8),
        area_range_px=(20, 16000),
        max_blobs=9,
    )
    assert [blob.area_px > 1000 for blob in blobs] == [True, False]
    box = body_box(blobs[0], core=0.5, thin=0.2)
    assert (box.left, box.top) == pytest.approx((60, 40), abs=2)
    assert (box.right, box.bottom) == pytest.approx((120, 80), abs=2)


def test_too_large_regions_leave_room_for_others() -> None:
    background = np.full((100, 160, 3), 200, np.uint8)
    frame = background.copy()
    frame[10:20, 10:20] = 30
    frame[40:80, 60:120] = 30
    (blob,) = find_blobs(
        frame,
        background_HWC=background,
        threshold_HW=np.full((100, 160), 20, np.uint8),
        area_range_px=(20, 1000),
        max_blobs=1,
    )
    assert (blob.left, blob.top) == pytest.approx((10, 10), abs=2)


def test_no_region_in_equal_frames() -> None:
    frame = np.full((40, 40, 3), 90, np.uint8)
    threshold = np.full((40, 40), 10, np.uint8)
    assert not find_blobs(
        frame, background_HWC=frame, threshold_HW=threshold, area_range_px=(1, 1600), max_blobs=3
    )
