"""Clips of the worst errors."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from evaluated import FIRST, SECOND, Evaluated, evaluated
from mouse_ar.core.bout_errors import BoutError, ErrorKind, bout_errors
from mouse_ar.core.types import Bout, Interval, Track
from mouse_ar.report.page import gallery
from mouse_ar.report.page.blocks import Block, Picture, Text
from mouse_ar.report.page.gallery import MOST_CLIPS, error_gallery
from tiny import ACTIONS, GROOMING, NUM_FRAMES, TWITCH


def shown(found: Evaluated, **more: object) -> list[Block]:
    options: dict[str, object] = {
        "records": found.records,
        "actions": ACTIONS,
        "scores": found.result.scores,
        "timestamps_seconds": found.result.timestamps_seconds,
    } | more
    errors = bout_errors(found.pairs, actions=ACTIONS)
    return error_gallery(errors, **options)  # type: ignore[arg-type]


def test_every_error_is_a_looping_clip_with_video_frames_and_time(tmp_path: Path) -> None:
    blocks = shown(evaluated(tmp_path))
    assert [b.lead for b in blocks if isinstance(b, Text)] == [
        f"{GROOMING}, false bouts:",
        f"{GROOMING}, missed bouts:",
        f"{TWITCH}, false bouts:",
        f"{TWITCH}, missed bouts:",
    ]
    grooming, false, missed = (b for b in blocks if isinstance(b, Picture))
    assert grooming.caption == f"{SECOND} · frames 2–13 · 0:00.20 (12 frames) · confidence 0.80"
    assert false.caption == f"{FIRST} · frames 20–22 · 0:02.00 (3 frames) · confidence 0.40"
    start = f"{FIRST} · frames 60–62 · 0:06.00 (3 frames) · score up to 0."
    assert missed.caption.startswith(start)
    with Image.open(io.BytesIO(missed.data)) as clip:
        assert clip.format == "WEBP"
        assert clip.n_frames == 3 + 2 * 4  # 0.4 s at 10 fps on both sides
        assert clip.info["loop"] == 0
        assert clip.size == (64, 64 + 5)  # the box and its padding are the whole picture
        for index, red in ((0, False), (5, True), (10, False)):
            clip.seek(index)
            bar = np.asarray(clip.convert("RGB"))[-2, 32]
            assert (bar[0] > 180 and bar[1] < 120) == red


def test_the_clip_is_cut_out_around_the_mouse(tmp_path: Path) -> None:
    found = evaluated(tmp_path)
    boxes_T4 = np.tile(np.array([40, 40, 60, 56], np.float32), (NUM_FRAMES, 1))
    track = Track(boxes_T4, np.ones(NUM_FRAMES, bool))
    near = replace(found, records=[replace(r, track=track) for r in found.records])
    nowhere = Track.from_boxes(NUM_FRAMES, {})
    whole = replace(found, records=[replace(r, track=nowhere) for r in found.records])
    for case, side in ((near, 30), (whole, 64)):
        picture = next(b for b in shown(case) if isinstance(b, Picture))
        with Image.open(io.BytesIO(picture.data)) as clip:
            assert clip.size == (side, side + 5)


@pytest.mark.parametrize("broken", ["no video", "cut off"])
def test_a_video_that_cannot_be_read_leaves_the_rest(tmp_path: Path, broken: str) -> None:
    found = evaluated(tmp_path)
    found.records[0].path.write_bytes(b"no video")
    if broken == "cut off":
        tiny.write_video(found.records[0].path, num_frames=20)
    blocks = shown(found)
    assert len([b for b in blocks if isinstance(b, Picture)]) == 1
    told = [b.text for b in blocks if isinstance(b, Text) and b.warns]
    assert len(told) == 2
    assert all(text.startswith(FIRST) and "could not be read" in text for text in told)


def test_the_first_dozen_below_two_megabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluated(tmp_path)
    many = [
        BoutError(FIRST, ErrorKind.MISSED, Bout(Interval(n, n + 40), GROOMING), 0.25)
        for n in range(20)
    ]
    errors = {(a, kind): [] for a in ACTIONS.names for kind in ErrorKind} | {
        (GROOMING, ErrorKind.MISSED): many
    }
    options = {"records": found.records, "actions": ACTIONS, "timestamps_seconds": {}}
    blocks = error_gallery(errors, scores={}, **options)  # type: ignore[arg-type]
    pictures = [b for b in blocks if isinstance(b, Picture)]
    assert len(pictures) == MOST_CLIPS
    assert pictures[0].caption.endswith("(40 frames) · overlaps a predicted one (IoU 0.25)")
    assert any(isinstance(b, Text) and b.text.startswith("the first 12 of 20") for b in blocks)
    assert sum(len(p.data) for p in pictures) < 2_000_000

    monkeypatch.setattr(gallery, "_ALL_BYTES", 12 * 100)
    blocks = error_gallery(errors, scores={}, **options)  # type: ignore[arg-type]
    assert not any(isinstance(b, Picture) for b in blocks)
    assert sum(isinstance(b, Text) and "too large" in b.text for b in blocks) == MOST_CLIPS
