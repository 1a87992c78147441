"""Animals that hardly leave their place, and the arena below them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.segmentation import find_blobs
from mouse_ar.detection.silhouettes import silhouette
from mouse_ar.synthetic import SyntheticConfig, make_video

Frames = NDArray[np.uint8]
FLOOR, COAT = 60, 220


def picture(*, body: tuple[int, int] | None, tail: int | None = None) -> Frames:
    """A floor, a body of radius 15 px and a tail to one side, 30 px long, of the same grey."""
    frame = np.full((120, 160, 3), FLOOR, np.uint8)
    if body:
        cv2.circle(frame, body, 15, (COAT,) * 3, -1)
        if tail is not None:
            cv2.line(frame, body, (body[0] + 45, body[1] + tail), (COAT,) * 3, 4)
    return frame


def found(
    frame: Frames, background: Frames, *, max_area_px: float = 5000, moves: bool = True
) -> list[int | None]:
    """Area of the silhouette of each region, largest region first."""
    blobs = find_blobs(
        frame,
        background_HWC=background,
        threshold_HW=np.full(frame.shape[:2], 20, np.uint8),
        area_range_px=(9, 10_000),
        max_blobs=4,
    )
    masks = [
        silhouette(
            b,
            frame_HWC=frame,
            background_HWC=background,
            moved_HW=np.full(frame.shape[:2], 255 * moves, np.uint8),
            max_area_px=max_area_px,
        )
        for b in blobs
    ]
    return [None if mask is None else int(np.count_nonzero(mask)) for mask in masks]


def test_the_tail_leads_to_the_body() -> None:
    absorbed, frame = picture(body=(60, 60)), picture(body=(60, 60), tail=10)
    assert found(frame, absorbed) == [pytest.approx(np.count_nonzero(frame[..., 0] > FLOOR), abs=9)]


def test_what_never_moves_is_not_followed() -> None:
    absorbed, frame = picture(body=(60, 60)), picture(body=(60, 60), tail=10)
    (area,) = found(frame, absorbed, moves=False)
    assert area is not None
    assert area < 200  # the tail alone


def test_where_an_animal_was_is_no_animal() -> None:
    assert found(picture(body=None), picture(body=(60, 60))) == [None]


def test_a_tail_at_the_wall_leads_to_the_body_but_not_into_the_wall() -> None:
    frame, background = picture(body=(60, 60), tail=0), picture(body=(60, 60))
    animal = np.count_nonzero(frame[:, :100, 0] > FLOOR)
    frame[:, 100:110] = background[:, 100:110] = COAT
    assert found(frame, background, max_area_px=1000) == [pytest.approx(animal, abs=40)]


@pytest.mark.parametrize("index", [12, 16, 17, 29, 42])
def test_a_mouse_that_stays_is_found_whole(index: int) -> None:
    """In these videos the plain median holds the body, and only tail or head differ from it."""
    video = make_video(
        SyntheticConfig(
            seed=501,
            seconds_per_video=20.0,
            grooming_bouts_per_minute=8,
            grooming_seconds=(1.5, 4.5),
            twitches_per_minute=18,
            twitch_degrees=(24.0, 40.0),
        ),
        index,
    )
    frames = np.stack(list(video.frames())[::8])
    detector = BackgroundSubtraction()
    detector.fit(frames)
    ious = []
    for detections, row in zip(detector.detect(frames), video.track.boxes_T4[::8], strict=True):
        ious.append(detections[0].box.iou(Box(*map(float, row))) if detections else 0.0)
    assert np.mean(ious) > 0.8


def test_an_arena_in_two_brightnesses_is_kept() -> None:
    """A mouse that walks over a bright nest does not become part of the background."""
    frames, truth = [], []
    for n in range(40):
        frame = picture(body=None)
        cv2.rectangle(frame, (20, 20), (70, 90), (150,) * 3, -1)
        x = 25 + 3 * n if n < 35 else 130
        cv2.circle(frame, (x, 60), 12, (10,) * 3, -1)
        frames.append(frame)
        truth.append(Box(x - 12, 48, x + 13, 73))
    detector = BackgroundSubtraction()
    detector.fit(np.stack(frames))
    ious = [
        d[0].box.iou(t) if d else 0.0
        for d, t in zip(detector.detect(np.stack(frames)), truth, strict=True)
    ]
    assert min(ious) > 0.6
