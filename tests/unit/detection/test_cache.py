"""Tracks on disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mouse_ar.core.types import Box, Track
from mouse_ar.detection import cache as cache_module
from mouse_ar.detection.cache import TrackCache, TrackKey

KEY = TrackKey(
    video_sha256="ab" * 32, fingerprint="background-1", detect_every=2, max_gap_seconds=2.0
)


def some_track() -> Track:
    return Track.from_boxes(5, {1: Box(1, 2, 3, 4), 3: Box(2.5, 3, 9, 8)})


def test_gives_back_what_was_put(tmp_path: Path) -> None:
    cache = TrackCache(tmp_path / "deep" / "folder")
    assert cache.get(KEY) is None
    cache.put(KEY, some_track())
    track = cache.get(KEY)
    assert track is not None
    np.testing.assert_array_equal(track.boxes_T4, some_track().boxes_T4)
    np.testing.assert_array_equal(track.observed_T, some_track().observed_T)
    assert track.boxes_T4.dtype == np.float32


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, video_sha256="cd" * 32),
        replace(KEY, fingerprint="background-2"),
        replace(KEY, detect_every=4),
        replace(KEY, max_gap_seconds=1.0),
    ],
)
def test_every_part_of_the_key_counts(tmp_path: Path, other: TrackKey) -> None:
    cache = TrackCache(tmp_path)
    cache.put(KEY, some_track())
    assert cache.get(other) is None
    # Were their names equal, the content would still tell them apart.
    (tmp_path / KEY.name).rename(tmp_path / other.name)
    assert cache.get(other) is None


def test_tracks_of_other_tracking_code_are_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = TrackCache(tmp_path)
    cache.put(KEY, some_track())
    name = KEY.name
    monkeypatch.setattr(cache_module, "TRACKING_VERSION", -1)
    assert cache.get(KEY) is None
    assert KEY.name != name


def test_fingerprint_may_hold_any_characters(tmp_path: Path) -> None:
    key = replace(KEY, fingerprint="http://host:8000/model?é\n../..")
    cache = TrackCache(tmp_path)
    cache.put(key, some_track())
    assert cache.get(key) is not None
    assert [path.parent for path in tmp_path.rglob("*.npz")] == [tmp_path]


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_damaged_entry_is_a_miss_and_can_be_replaced(tmp_path: Path, keep: float) -> None:
    cache = TrackCache(tmp_path)
    cache.put(KEY, some_track())
    (entry,) = tmp_path.glob("*.npz")
    data = entry.read_bytes()
    entry.write_bytes(data[: int(keep * len(data))])
    assert cache.get(KEY) is None
    cache.put(KEY, some_track())
    assert cache.get(KEY) is not None


def test_flipped_bytes_never_give_a_wrong_track(tmp_path: Path) -> None:
    cache = TrackCache(tmp_path)
    cache.put(KEY, some_track())
    (entry,) = tmp_path.glob("*.npz")
    data = bytearray(entry.read_bytes())
    for position in range(0, len(data), 7):
        broken = bytearray(data)
        broken[position] ^= 0xFF
        entry.write_bytes(broken)
        track = cache.get(KEY)
        if track is not None:
            np.testing.assert_array_equal(track.boxes_T4, some_track().boxes_T4)


def test_pickled_entry_is_a_miss(tmp_path: Path) -> None:
    np.savez(tmp_path / KEY.name, boxes_T4=np.array([{"a": 1}], dtype=object), key="x")
    assert TrackCache(tmp_path).get(KEY) is None


def test_failed_write_leaves_the_old_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = TrackCache(tmp_path)
    cache.put(KEY, some_track())

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.put(KEY, Track.from_boxes(5, {}))
    track = cache.get(KEY)
    assert track is not None
    assert track.observed_T.any()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    old, young = tmp_path / "a.part", tmp_path / "b.part"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    TrackCache(tmp_path).put(KEY, some_track())
    assert not old.exists()
    assert young.exists()
