"""All windows in one pass: the pixels that naive reading gives, with little memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiny
from mouse_ar.core.types import Box, ClipSpec, Track
from mouse_ar.core.windows import plan_windows, window_at
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.data.stream import crop_window, iter_windows, window_crop
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import open_video


def moving_track(num_frames: int) -> Track:
    return Track.from_boxes(
        num_frames, {i: Box(5 + i % 20, 8, 25 + i % 20, 40) for i in range(num_frames)}
    )


@pytest.mark.parametrize("num_frames", [1, 2, 7, 16, 50])
@pytest.mark.parametrize(("rate", "stride"), [(1, 1), (2, 3), (3, 12)])
def test_equals_naive_reading(tmp_path: Path, num_frames: int, rate: int, stride: int) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", num_frames=num_frames)
    meta, spec = probe(path), ClipSpec(num_frames=8, sampling_rate=rate, input_size=24)
    track = moving_track(num_frames)
    windows = plan_windows(num_frames, spec=spec, stride_frames=min(stride, 4 * rate))
    with open_video(path) as reader:
        frames_THWC = reader.get_batch(range(num_frames))

    found = list(iter_windows(path, windows=windows, track=track, spec=spec, meta=meta))

    assert [window for window, _ in found] == windows
    for window, pixels in found:
        crop = window_crop(window, track=track, spec=spec, width=tiny.SIDE, height=tiny.SIDE)
        naive = [crop_and_resize(frames_THWC[i], crop=crop, size=24) for i in window.indices]
        np.testing.assert_array_equal(pixels, np.stack(naive))


def test_windows_in_any_order_are_yielded_by_start(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", num_frames=30)
    spec = ClipSpec(num_frames=4, sampling_rate=1, input_size=8)
    windows = [window_at(start, num_frames=30, spec=spec) for start in (20, -2, 8, 29)]
    found = iter_windows(path, windows=windows, track=moving_track(30), spec=spec, meta=probe(path))
    assert [window.interval.start for window, _ in found] == [-2, 8, 20, 29]


def test_one_square_holds_the_mouse_in_every_frame_of_the_window() -> None:
    track, spec = moving_track(50), ClipSpec(num_frames=8, sampling_rate=2, crop_padding=0.1)
    window = window_at(3, num_frames=50, spec=spec)
    crop = window_crop(window, track=track, spec=spec, width=200, height=200)
    for index in range(min(window.indices), max(window.indices) + 1):
        box = track.box(index)
        assert box is not None
        assert crop.left <= box.left
        assert box.right <= crop.right
        assert crop.top <= box.top
        assert box.bottom <= crop.bottom


def test_repeated_frames_are_scaled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def count(frame: np.ndarray, **kwargs: object) -> np.ndarray:
        calls.append(1)
        return frame

    monkeypatch.setattr("mouse_ar.data.stream.crop_and_resize", count)
    window = window_at(-4, num_frames=5, spec=ClipSpec(num_frames=8, sampling_rate=1))
    frames = [np.full((2, 2, 3), i, dtype=np.uint8) for i in window.indices]
    stacked = crop_window(frames, window=window, crop=None, size=2)  # type: ignore[arg-type]
    assert len(calls) == 5
    assert stacked[:, 0, 0, 0].tolist() == list(window.indices)
