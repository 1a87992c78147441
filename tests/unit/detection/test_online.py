"""What is settled while a video runs is what the whole video gives in the end, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from mouse_ar.core.types import Box
from mouse_ar.detection.association import associate
from mouse_ar.detection.online import GrowingTrack, LookLog
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.tracking import fill_track

Looks = list[tuple[int, list[Detection]]]


def walk(seed: int, *, num_frames: int, every: int) -> Looks:
    """A mouse that walks, rests, is lost for a while, and has phantoms beside it."""
    rng = np.random.default_rng(seed)
    x, looks = 50.0, []
    hidden = [(n, n + int(rng.integers(2, 150))) for n in rng.integers(0, num_frames, size=3)]
    resting = [(n, n + 60) for n in rng.integers(0, num_frames, size=3)]
    for frame in [*range(0, num_frames - 1, every), num_frames - 1]:
        if not any(a <= frame < b for a, b in resting):
            x = float(np.clip(x + rng.normal(0, 4), 0, 500))
        found = []
        if not any(a <= frame < b for a, b in hidden):
            found.append(Detection(Box(x, 20, x + 40, 50), float(rng.uniform(0.3, 1))))
        if rng.random() < 0.1:
            y = float(rng.uniform(60, 300))
            found.append(Detection(Box(400, y, 430, y + 30), float(rng.uniform(0.1, 0.9))))
        looks.append((frame, sorted(found, key=lambda d: -d.score)))
    return looks


@pytest.mark.parametrize("every", [1, 4, 16])
@pytest.mark.parametrize("seed", range(6))
def test_settled_frames_never_change(seed: int, every: int) -> None:
    num_frames, fps = 1500, 30.0
    looks = walk(seed, num_frames=num_frames, every=every)
    path = associate(looks, fps=fps)
    expected = fill_track(
        {frame: d.box for frame, d in path.items()},
        num_frames=num_frames,
        fps=fps,
        detect_every=every,
    )
    growing = GrowingTrack(num_frames, fps=fps, detect_every=every)
    lags = []
    for number, (frame, detections) in enumerate(looks):
        growing.look(frame, detections)
        if number % 5 == 0:
            settled = growing.settle()
            lags.append(frame - settled)
            np.testing.assert_array_equal(
                growing.boxes_T4[:settled], expected.boxes_T4[:settled], strict=True
            )
    track = growing.finish()
    np.testing.assert_array_equal(track.boxes_T4, expected.boxes_T4, strict=True)
    np.testing.assert_array_equal(track.observed_T, expected.observed_T)
    assert growing.settled == num_frames
    assert np.median(lags) < 6 * every + 60  # the comparison means something


def test_without_any_mouse_nothing_settles_before_the_end() -> None:
    growing = GrowingTrack(100, fps=30, detect_every=4)
    for frame in range(0, 100, 4):
        growing.look(frame, [])
        assert growing.settle() == 0
    assert not growing.finish().present_T.any()


def test_log_gives_back_what_was_marked() -> None:
    looks = walk(0, num_frames=200, every=4)
    log = LookLog()
    for frame, detections in looks[:30]:
        log.add(frame, detections)
    log.mark()
    log.add(*looks[30])
    restored = LookLog.restored(log.arrays())
    assert list(restored) == looks[:30]
    assert restored.last_frame == looks[29][0]
