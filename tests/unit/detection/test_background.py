"""The background detector on synthetic arenas."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.background import BackgroundConfig, BackgroundSubtraction
from mouse_ar.detection.background_model import FitConfig
from mouse_ar.detection.protocol import Detector

Frames = NDArray[np.uint8]
HEIGHT, WIDTH = 180, 240


def arena(level: int, *, seed: int = 0) -> Frames:
    """A textured floor around a grey level."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(level, 12, (HEIGHT // 12, WIDTH // 12, 3)).astype(np.float32)
    floor = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(floor, 0, 255).astype(np.uint8)


def with_mouse(
    floor: Frames, center: tuple[int, int], *, level: int, tail: bool = False
) -> tuple[Frames, Box]:
    """An elliptic body of 40x24 px, and its box."""
    frame, (x, y) = floor.copy(), center
    cv2.ellipse(frame, center, (20, 12), 0, 0, 360, (level,) * 3, -1)
    if tail:
        cv2.line(frame, center, (x - 60, y), (level,) * 3, 3)
    return frame, Box(x - 20, y - 12, x + 21, y + 13)


def noisy(frames: list[Frames], *, sigma: float = 3.0, seed: int = 1) -> Frames:
    """Camera noise on every frame."""
    rng = np.random.default_rng(seed)
    stack = np.stack(frames).astype(np.float32)
    return np.clip(stack + rng.normal(0, sigma, stack.shape), 0, 255).astype(np.uint8)


def circle(step: int) -> tuple[int, int]:
    """A walk around the arena."""
    angle = step * 2 * np.pi / 40
    return round(120 + 70 * np.cos(angle)), round(90 + 50 * np.sin(angle))


def best_ious(detector: BackgroundSubtraction, frames: Frames, truth: list[Box]) -> list[float]:
    found = detector.detect(frames)
    return [d[0].box.iou(t) if d else 0.0 for d, t in zip(found, truth, strict=True)]


def test_is_a_detector() -> None:
    assert isinstance(BackgroundSubtraction(), Detector)


@pytest.mark.parametrize(("floor", "coat"), [(190, 30), (40, 210), (120, 25)])
def test_finds_dark_and_light_mice(floor: int, coat: int) -> None:
    pairs = [with_mouse(arena(floor), circle(n), level=coat, tail=True) for n in range(40)]
    frames = noisy([frame for frame, _ in pairs])
    detector = BackgroundSubtraction()
    detector.fit(frames)
    ious = best_ious(detector, frames, [box for _, box in pairs])
    assert min(ious) > 0.7
    assert np.mean(ious) > 0.8


def test_cuts_off_the_tail() -> None:
    frames = [with_mouse(arena(190), circle(n), level=30, tail=True)[0] for n in range(40)]
    truth = [with_mouse(arena(190), circle(n), level=30)[1] for n in range(40)]
    with_tail = BackgroundSubtraction(BackgroundConfig(thin=0.0))
    without = BackgroundSubtraction()
    for detector in (with_tail, without):
        detector.fit(np.stack(frames))
    assert np.mean(best_ious(with_tail, np.stack(frames), truth)) < 0.6
    assert np.mean(best_ious(without, np.stack(frames), truth)) > 0.8


def test_mouse_that_rests_most_of_the_time_is_not_background() -> None:
    # 60 % of the frames in one corner: the plain median holds the mouse there.
    places = [(60, 60)] * 24 + [circle(n) for n in range(16)]
    pairs = [with_mouse(arena(180), place, level=30) for place in places]
    frames = noisy([frame for frame, _ in pairs])
    detector = BackgroundSubtraction()
    detector.fit(frames)
    ious = best_ious(detector, frames, [box for _, box in pairs])
    assert min(ious) > 0.6


def test_two_places_only() -> None:
    places = [(60, 60)] * 24 + [(180, 120)] * 16
    pairs = [with_mouse(arena(180), place, level=30) for place in places]
    frames = noisy([frame for frame, _ in pairs])
    detector = BackgroundSubtraction()
    detector.fit(frames)
    assert min(best_ious(detector, frames, [box for _, box in pairs])) > 0.6


def test_lighting_flicker_is_no_motion() -> None:
    rng = np.random.default_rng(5)
    gains = rng.uniform(0.75, 1.2, 40)
    pairs = [with_mouse(arena(150), circle(n), level=25) for n in range(40)]
    lit = [
        np.clip(frame * gain, 0, 255).astype(np.uint8)
        for (frame, _), gain in zip(pairs, gains, strict=True)
    ]
    frames = noisy(lit)
    detector = BackgroundSubtraction()
    detector.fit(frames)
    assert min(best_ious(detector, frames, [box for _, box in pairs])) > 0.6
    assert max(len(d) for d in detector.detect(frames)) == 1


@pytest.mark.parametrize("half", [0, 4])
@pytest.mark.parametrize("dim", [0.6, 0.7, 1.3])
def test_light_that_changes_halfway_is_no_motion(dim: float, half: int) -> None:
    """With as many dim frames as bright ones every place the mouse visits tips the median."""
    places = [(40 + 70 * (n // 14), 60) for n in range(40)]
    pairs = [with_mouse(arena(150), place, level=25) for place in places]
    frames = noisy(
        [
            np.clip(frame * (dim if n >= 20 + half else 1.0), 0, 255).astype(np.uint8)
            for n, (frame, _) in enumerate(pairs)
        ]
    )
    detector = BackgroundSubtraction()
    detector.fit(frames)
    assert min(best_ious(detector, frames, [box for _, box in pairs])) > 0.6


def test_soft_shadow_is_not_body() -> None:
    frames, truth = [], []
    for n in range(40):
        floor = arena(180)
        x, y = circle(n)
        shade = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(shade, (x + 16, y + 8), (22, 14), 0, 0, 360, 255, -1)
        floor[shade > 0] = (floor[shade > 0] * 0.75).astype(np.uint8)
        frame, box = with_mouse(floor, (x, y), level=25)
        frames.append(frame)
        truth.append(box)
    detector = BackgroundSubtraction()
    detector.fit(noisy(frames))
    assert np.mean(best_ious(detector, noisy(frames), truth)) > 0.75


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_empty_arena_has_no_boxes(sigma: float) -> None:
    frames = noisy([arena(120)] * 40, sigma=sigma)
    detector = BackgroundSubtraction()
    detector.fit(frames)
    assert sum(len(d) for d in detector.detect(frames)) == 0


def test_two_mice_give_two_detections() -> None:
    frames = []
    for n in range(40):
        one, _ = with_mouse(arena(180), circle(n), level=30)
        frames.append(with_mouse(one, circle(n + 20), level=30)[0])
    detector = BackgroundSubtraction()
    detector.fit(noisy(frames))
    counts = [len(d) for d in detector.detect(noisy(frames))]
    assert np.median(counts) == 2


def test_still_animal_in_a_clip_is_found_by_brightness() -> None:
    # The body stays, only the head nods: motion alone would show the head only.
    pairs = [with_mouse(arena(20), (120, 90), level=200) for _ in range(16)]
    frames = []
    for n, (frame, _) in enumerate(pairs):
        cv2.circle(frame, (140, 84 + n % 4), 8, (200, 200, 200), -1)
        frames.append(frame)
    detector = BackgroundSubtraction()
    detector.fit(noisy(frames), span_seconds=0.6)
    found = detector.detect(noisy(frames))
    assert all(d and d[0].box.iou(Box(100, 76, 149, 103)) > 0.7 for d in found)
    assert max(d[0].score for d in found) <= 0.5


def lit_disc(center: tuple[int, int] | None) -> tuple[Frames, Box | None]:
    """A white disc, a quarter of the dark picture, and a mouse of 25x15 px on it."""
    frame = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    cv2.circle(frame, (120, 90), 58, (220, 220, 220), -1)
    if center is None:
        return frame, None
    x, y = center
    frame[y - 7 : y + 8, x - 12 : x + 13] = 60
    return frame, Box(x - 12, y - 7, x + 13, y + 8)


def on_disc(step: int) -> tuple[int, int]:
    angle = step * 2 * np.pi / 40
    return round(120 + 30 * np.cos(angle)), round(90 + 30 * np.sin(angle))


@pytest.mark.parametrize(
    ("seconds", "samples", "visible"),
    [
        pytest.param(1, 25, range(25), id="clip"),
        pytest.param(60, 40, range(40), id="minute"),
        pytest.param(3600, 64, range(38, 64), id="shelter"),
        pytest.param(3600, 64, range(0, 64, 20), id="rarely-out"),
    ],
)
def test_lit_floor_is_no_mouse(seconds: float, samples: int, visible: range) -> None:
    pairs = [lit_disc(on_disc(n) if n in visible else None) for n in range(samples)]
    frames = noisy([frame for frame, _ in pairs])
    detector = BackgroundSubtraction()
    detector.fit(frames, span_seconds=seconds)
    for found, (_, true) in zip(detector.detect(frames), pairs, strict=True):
        assert len(found) == (true is not None)
        assert true is None or found[0].box.iou(true) > 0.8


def test_nothing_moves_means_nothing_found() -> None:
    frames = noisy([with_mouse(arena(20), (120, 90), level=200)[0]] * 16)
    detector = BackgroundSubtraction()
    detector.fit(frames, span_seconds=0.6)
    assert detector.detect(frames) == [[] for _ in frames]


def test_larger_than_an_animal_is_no_detection() -> None:
    # In two of three frames a lamp lights the left or the right of the picture; the mouse walks on.
    pairs = [with_mouse(arena(120), circle(n), level=25) for n in range(40)]
    frames = noisy([frame for frame, _ in pairs])
    width = round(0.4 * WIDTH)
    sides = [slice(0, width), slice(WIDTH - width, WIDTH), slice(0, 0)]
    apart = []
    for n, (_, box) in enumerate(pairs):
        side = sides[n % 3]
        frames[n, :, side] = np.minimum(frames[n, :, side], 165) + 90
        if box.right < side.start - 5 or box.left > side.stop + 5:
            apart.append(n)
    detector = BackgroundSubtraction(BackgroundConfig(fit=FitConfig(max_area=0.05)))
    detector.fit(frames)
    found = detector.detect(frames)
    assert max(d.box.area for each in found for d in each) < 0.05 * HEIGHT * WIDTH
    assert len(apart) > 20
    # The lamp is neither noise nor an animal of unusual size, so the scores are high too.
    assert all(found[n] and found[n][0].box.iou(pairs[n][1]) > 0.6 for n in apart)
    assert min(found[n][0].score for n in apart) > 0.65


def test_boxes_are_in_pixels_of_the_given_frame() -> None:
    pairs = [with_mouse(arena(190), circle(n), level=30) for n in range(40)]
    large = np.stack([cv2.resize(frame, None, fx=3, fy=3) for frame, _ in pairs])
    truth = [Box(3 * b.left, 3 * b.top, 3 * b.right, 3 * b.bottom) for _, b in pairs]
    detector = BackgroundSubtraction(BackgroundConfig(short_side=180))
    detector.fit(large)
    assert min(best_ious(detector, large, truth)) > 0.7


def test_detect_needs_prepare() -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        BackgroundSubtraction().detect(np.zeros((1, 8, 8, 3), np.uint8))


def test_frames_of_another_video_are_refused() -> None:
    detector = BackgroundSubtraction()
    detector.fit(np.zeros((4, 40, 60, 3), np.uint8))
    with pytest.raises(ValueError, match="does not fit"):
        detector.detect(np.zeros((1, 40, 40, 3), np.uint8))


def test_fingerprint_depends_on_settings_only() -> None:
    assert BackgroundSubtraction().fingerprint == BackgroundSubtraction().fingerprint
    other = BackgroundConfig(fit=FitConfig(min_contrast=30))
    assert BackgroundSubtraction(other).fingerprint != BackgroundSubtraction().fingerprint


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: BackgroundConfig(num_samples=0), "num_samples"),
        (lambda: BackgroundConfig(thin=1.0), "thin"),
        (lambda: FitConfig(min_contrast=0), "min_contrast"),
        (lambda: FitConfig(min_area=0.5, max_area=0.1), "min_area"),
    ],
)
def test_bad_settings_are_named(make: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make()  # type: ignore[operator]
