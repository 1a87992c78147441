"""Choosing one detection per frame."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.types import Box
from mouse_ar.detection.association import AssociationConfig, associate
from mouse_ar.detection.protocol import Detection


def at(x: float, y: float = 50, *, score: float = 0.9, size: float = 20) -> Detection:
    half = size / 2
    return Detection(box=Box(x - half, y - half, x + half, y + half), score=score)


def follow(
    steps: Sequence[Sequence[Detection]], *, step_seconds: float = 1 / 30
) -> list[Detection | None]:
    """The mouse in every step."""
    path = associate(enumerate(steps), fps=1 / step_seconds)
    return [path.get(step) for step in range(len(steps))]


def test_score_is_validated() -> None:
    with pytest.raises(ValueError, match="score"):
        at(10, score=1.5)


def test_follows_a_mouse() -> None:
    steps = [[at(10 + 2 * n)] for n in range(20)]
    assert follow(steps) == [step[0] for step in steps]


def test_does_not_jump_to_a_clearer_second_animal() -> None:
    mouse = [at(10 + 2 * n, score=0.7) for n in range(30)]
    other = [at(300 - 2 * n, score=0.95) for n in range(30)]
    steps = [[other[n], mouse[n]] if 10 <= n < 16 else [mouse[n]] for n in range(30)]
    assert follow(steps) == list(mouse)


def test_skips_one_wrong_detection() -> None:
    steps = [[at(10 + n)] for n in range(20)]
    steps[7] = [at(400)]
    path = follow(steps)
    assert path[7] is None
    assert [d for n, d in enumerate(path) if n != 7] == [
        s[0] for n, s in enumerate(steps) if n != 7
    ]


def test_skips_a_sudden_change_of_size() -> None:
    steps = [[at(50)] for _ in range(20)]
    steps[9] = [at(50, size=200)]
    assert follow(steps)[9] is None


def test_prefers_a_jittering_mouse_to_a_weaker_thing_at_rest() -> None:
    """In a mouse's box the tail comes and goes: a change of area that is no reason to leave it."""
    steps = [
        [at(50 + 4 * (n % 2), score=0.9, size=20 + 2 * (n % 2)), at(400, score=0.8)]
        for n in range(60)
    ]
    assert follow(steps) == [step[0] for step in steps]


def test_follows_after_a_long_absence() -> None:
    steps: list[list[Detection]] = [[at(20)] for _ in range(20)]
    steps += [[] for _ in range(60)]
    steps += [[at(400)] for _ in range(20)]
    path = follow(steps)
    assert [d is not None for d in path] == [bool(s) for s in steps]


def test_a_lone_weak_detection_is_no_track() -> None:
    steps: list[list[Detection]] = [[] for _ in range(50)]
    steps[20] = [at(50, score=0.2)]
    assert follow(steps) == [None] * 50


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_video_of_a_few_frames_has_a_track(looks: int) -> None:
    steps = [[at(50 + n)] for n in range(looks)]
    assert follow(steps) == [step[0] for step in steps]


def test_a_few_frames_of_weak_detections_are_no_track() -> None:
    assert follow([[at(50, score=0.2)]]) == [None]
    assert follow([[at(50)], []]) == [None, None]


def test_an_empty_video() -> None:
    assert associate([], fps=30) == {}


@given(
    st.lists(
        st.lists(
            st.builds(
                at,
                st.floats(0, 500),
                st.floats(0, 500),
                score=st.floats(0, 1),
                size=st.floats(1, 100),
            ),
            max_size=3,
        ),
        max_size=12,
    )
)
def test_chooses_only_among_the_candidates(steps: list[list[Detection]]) -> None:
    path = follow(steps, step_seconds=0.1)
    assert len(path) == len(steps)
    assert all(d is None or d in step for d, step in zip(path, steps, strict=True))


def test_bad_cost_is_named() -> None:
    with pytest.raises(ValueError, match="missing"):
        AssociationConfig(missing=-1)


def test_frames_may_come_in_any_steps() -> None:
    """What counts is time: a walk looked at every 8th frame, then in every one."""
    frames = [*range(0, 64, 8), *range(64, 72), *range(72, 200, 8)]
    mouse = {n: at(10 + n, score=0.7) for n in frames}
    phantom = at(300, score=0.75)
    path = associate(((n, [phantom, mouse[n]] if n >= 64 else [mouse[n]]) for n in frames), fps=30)
    assert path == mouse
