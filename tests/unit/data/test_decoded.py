"""Decoded clips: the same pixels from memory as from the file, within a budget, decoded once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mouse_ar.core.cropping import CropBox
from mouse_ar.core.types import Box, ClipSpec, Ethogram, Track
from mouse_ar.core.windows import window_at
from mouse_ar.data import decoded
from mouse_ar.data.decoded import ClipView, DecodedClips, clip_view
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.data.stream import window_crop
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.video.reader import open_video
from mouse_ar.video.writer import VideoWriter

SPEC = ClipSpec(num_frames=4, sampling_rate=2, input_size=16)
WIDTH, HEIGHT, FRAMES = 160, 120, 20


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> VideoRecord:
    """A smooth picture with a moving edge, as a camera sees it."""
    path = tmp_path_factory.mktemp("clip") / "c.mp4"
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    with VideoWriter(path, width=WIDTH, height=HEIGHT, fps=10, preset="ultrafast") as out:
        for index in range(FRAMES):
            grey = 128 + 60 * np.sin(x / 13 + index / 3) + 40 * np.cos(y / 9)
            out.write(np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2))
    return VideoRecord(
        key="idle/c.mp4",
        dataset="idle",
        path=path,
        source="c",
        width=WIDTH,
        height=HEIGHT,
        ethogram=Ethogram(num_frames=FRAMES, fps=10, bouts=()),
        track=Track.from_boxes(FRAMES, {i: Box(40 + i, 30, 90 + i, 70) for i in range(FRAMES)}),
    )


def cut(clips: DecodedClips, record: VideoRecord, start: int, spec: ClipSpec) -> np.ndarray:
    window = window_at(start, num_frames=record.num_frames, spec=spec)
    crop = window_crop(window, track=record.track, spec=spec, width=WIDTH, height=HEIGHT)
    return clips.window(record, window=window, crop=crop, spec=spec)


@pytest.mark.parametrize("size", [16, 64])
def test_memory_changes_no_pixel(record: VideoRecord, size: int) -> None:
    """Or a run would depend on which clips happened to fit."""
    spec = replace(SPEC, input_size=size)
    for start in (-3, 0, 7, 12, 15):
        held = cut(DecodedClips(10**8, spare=0.1), record, start, spec)
        np.testing.assert_array_equal(held, cut(DecodedClips(0, spare=0.1), record, start, spec))


def test_pixels_are_those_of_inference(record: VideoRecord) -> None:
    """Exactly where nothing is scaled down, closely where it is."""
    with open_video(record.path) as reader:
        frames_THWC = reader.get_batch(range(FRAMES))
    for size, tolerance in ((64, 0.0), (16, 3.0)):
        spec = replace(SPEC, input_size=size)
        window = window_at(5, num_frames=FRAMES, spec=spec)
        crop = window_crop(window, track=record.track, spec=spec, width=WIDTH, height=HEIGHT)
        plain = np.stack(
            [crop_and_resize(frames_THWC[i], crop=crop, size=size) for i in window.indices]
        )
        ours = cut(DecodedClips(10**8), record, 5, spec)
        assert np.abs(ours.astype(int) - plain).mean() <= tolerance


def test_what_is_kept_covers_every_window_and_is_small(record: VideoRecord) -> None:
    view = clip_view(record, spec=SPEC, spare=0.1)
    assert view.factor == 3
    assert view.frame_bytes * 9 < WIDTH * HEIGHT * 3
    for start in range(FRAMES - SPEC.window_frames + 1):
        window = window_at(start, num_frames=FRAMES, spec=SPEC)
        crop = window_crop(window, track=record.track, spec=SPEC, width=WIDTH, height=HEIGHT)
        for dx in (-0.1, 0.1):
            moved = CropBox(crop.left + round(dx * crop.side), crop.top, crop.side)
            assert view.shows(moved, width=WIDTH, height=HEIGHT)


def test_square_outside_of_what_is_kept_comes_from_the_file(record: VideoRecord) -> None:
    clips = DecodedClips(10**8)
    _ = cut(clips, record, 0, SPEC)
    window = window_at(0, num_frames=FRAMES, spec=SPEC)
    with open_video(record.path) as reader:
        first_HWC = reader.get_batch([0])[0]
    whole = CropBox(0, -20, 160)
    pixels = clips.window(record, window=window, crop=whole, spec=SPEC)
    np.testing.assert_array_equal(pixels[0], crop_and_resize(first_HWC, crop=whole, size=16))


@pytest.mark.parametrize("boxes", [{}, {0: Box(150, 110, 160, 120)}])
def test_clip_without_boxes_is_kept_whole(record: VideoRecord, boxes: dict[int, Box]) -> None:
    view = clip_view(replace(record, track=Track.from_boxes(FRAMES, boxes)), spec=SPEC, spare=0.1)
    assert (view.left, view.top) == (0, 0)
    assert view.width > WIDTH - view.factor
    assert view.height > HEIGHT - view.factor


def test_scaled_square_is_where_it_was() -> None:
    view = ClipView(left=30, top=20, width=90, height=60, factor=3)
    assert view.scaled(CropBox(36, 11, 30)) == CropBox(2, -3, 10)


def test_budget_is_kept_and_what_is_in_memory_stays(record: VideoRecord, tmp_path: Path) -> None:
    other = replace(record, path=tmp_path / "o.mp4")
    other.path.write_bytes(record.path.read_bytes())
    size = clip_view(record, spec=SPEC, spare=0).frame_bytes * FRAMES
    clips = DecodedClips(size)
    for clip in (record, other):
        _ = cut(clips, clip, 3, SPEC)
    assert clips.used_bytes == size
    record_held, other_held = (clips._entries[r.path].frames for r in (record, other))
    assert record_held is not None
    assert other_held is None


def test_clip_is_decoded_once_for_all_threads(
    record: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    plain = decoded.iter_pictures

    def counted(*args: object, **options: object) -> object:
        passes.append(options)
        return plain(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decoded, "iter_pictures", counted)
    clips = DecodedClips(10**8)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda start: cut(clips, record, start, SPEC), range(12)))
    assert len(passes) == 1


def test_only_the_range_of_a_window_is_decoded(
    record: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges = []
    plain = decoded.iter_pictures

    def noted(path: Path, *, start: int, stop: int, **options: object) -> object:
        ranges.append((start, stop))
        return plain(path, start=start, stop=stop, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decoded, "iter_pictures", noted)
    _ = cut(DecodedClips(0), record, 5, SPEC)
    assert ranges == [(5, 12)]


def test_cut_off_file_is_told_and_takes_no_memory(record: VideoRecord, tmp_path: Path) -> None:
    longer = replace(record, ethogram=Ethogram(num_frames=30, fps=10, bouts=()))
    clips = DecodedClips(10**8)
    with pytest.raises(ValueError, match=r"has 20 frames, but its annotation speaks of 30"):
        clips.window(
            longer,
            window=window_at(0, num_frames=30, spec=SPEC),
            crop=CropBox(0, 0, 60),
            spec=SPEC,
        )
    assert clips.used_bytes == 0


def test_failed_decoding_gives_its_memory_back(
    record: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> object:
        raise OSError("disk gone")

    clips = DecodedClips(10**8)
    with monkeypatch.context() as patch:
        patch.setattr(decoded, "iter_pictures", broken)
        with pytest.raises(OSError, match="disk gone"):
            cut(clips, record, 0, SPEC)
    assert clips.used_bytes == 0
    assert cut(clips, record, 0, SPEC).shape == (4, 16, 16, 3)
