"""Which frames the detector looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.sparse import STILL_IOU, detect_sparsely
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.reader import Picture


class Script:
    """Sees what a list says of each frame; the frame's only pixel is its index."""

    fingerprint = "script"

    def __init__(self, lefts: Sequence[float | None]) -> None:
        self.lefts = lefts
        self.seen: list[int] = []
        self.held = 0

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """Nothing to learn."""

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        frames = [int(n) for n in frames_NHWC[:, 0, 0, 0]]
        self.seen += frames
        return [self.at(n) for n in frames]

    def at(self, frame: int) -> list[Detection]:
        left = self.lefts[frame]
        return [] if left is None else [Detection(Box(left, 0, left + 20, 20), score=0.9)]

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        for n in range(len(self.lefts)):
            yield n, partial(np.full, (1, 1, 1), n)


def looked_at(lefts: Sequence[float | None], *, every: int, **options: float) -> list[int]:
    script = Script(lefts)
    found = list(
        detect_sparsely(
            script.pictures(),
            num_frames=len(lefts),
            detector=script,
            detect_every=every,
            **options,  # type: ignore[arg-type]
        )
    )
    frames = [frame for frame, _ in found]
    assert frames == sorted(script.seen)
    assert len(set(frames)) == len(frames), "no frame is looked at twice"
    assert all(detections == script.at(frame) for frame, detections in found)
    return frames


def test_a_resting_mouse_is_looked_at_in_every_nth_frame_and_the_last() -> None:
    assert looked_at([5.0] * 100, every=8) == [*range(0, 100, 8), 99]


def test_an_empty_arena_as_well() -> None:
    assert looked_at([None] * 10, every=4) == [0, 4, 8, 9]


def test_a_dash_is_looked_at_closely() -> None:
    lefts = [0.0] * 43 + [400.0] * 57
    frames = looked_at(lefts, every=16)
    assert {42, 43} <= set(frames)
    assert len(frames) == len({*range(0, 100, 16), 99}) + 4


def test_coming_and_going_is_a_change() -> None:
    frames = looked_at([None] * 21 + [5.0] * 30 + [None] * 29, every=8)
    assert {20, 21, 50, 51} <= set(frames)


def test_changes_across_chunks_are_seen() -> None:
    lefts = [0.0] * 9 + [400.0] * 91
    assert {8, 9} <= set(looked_at(lefts, every=8, held_frames=8))


def test_no_overlap_asked_for_is_a_fixed_step() -> None:
    assert looked_at([0.0, 400.0] * 50, every=4, still_iou=0.0) == [*range(0, 100, 4), 99]


def test_a_second_animal_that_scores_alike_is_no_change() -> None:
    class Two(Script):
        def at(self, frame: int) -> list[Detection]:
            boxes = [Box(0, 0, 20, 20), Box(300, 0, 320, 20)]
            return [Detection(box, score=0.9) for box in boxes[:: 1 if frame % 8 else -1]]

    script = Two([0.0] * 64)
    found = detect_sparsely(script.pictures(), num_frames=64, detector=script, detect_every=4)
    assert [frame for frame, _ in found] == [*range(0, 64, 4), 63]


@given(
    lefts=st.lists(st.none() | st.floats(0, 60), min_size=1, max_size=70),
    every=st.integers(1, 20),
    held=st.integers(1, 40),
)
def test_between_frames_not_looked_at_boxes_are_alike(
    lefts: list[float | None], every: int, held: int
) -> None:
    frames = looked_at(lefts, every=every, held_frames=held)
    assert {*range(0, len(lefts), every), len(lefts) - 1} <= set(frames)
    for start, stop in pairwise(frames):
        if stop - start > 1:
            one, other = lefts[start], lefts[stop]
            if one is None or other is None:
                assert one is other
            else:
                boxes = [Box(x, 0, x + 20, 20) for x in (one, other)]
                assert boxes[0].iou(boxes[1]) >= STILL_IOU


@pytest.mark.parametrize("every", [1, 3, 16])
def test_few_pictures_are_kept(every: int) -> None:
    alive: set[int] = set()

    class Held:
        def __init__(self, frame: int) -> None:
            self.frame = frame
            alive.add(frame)

        def __del__(self) -> None:
            alive.discard(self.frame)

        def __call__(self) -> NDArray[np.uint8]:
            return np.full((1, 1, 1), self.frame % 256, np.uint8)

    script = Script([0.0] * 256)
    pictures = ((n, Held(n)) for n in range(256))
    most = 0
    for _ in detect_sparsely(
        pictures, num_frames=256, detector=script, detect_every=every, held_frames=20
    ):
        most = max(most, len(alive))
    assert most <= 22
