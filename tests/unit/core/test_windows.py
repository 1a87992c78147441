from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.types import Bout, ClipSpec, Ethogram, Interval
from mouse_ar.core.windows import (
    action_masks,
    central_half,
    class_targets,
    mirror_frames,
    plan_windows,
    window_at,
)

specs = st.builds(ClipSpec, num_frames=st.integers(1, 20), sampling_rate=st.integers(1, 5))


@given(num_frames=st.integers(1, 30), reach=st.integers(0, 100))
def test_mirroring_is_numpys_reflection(num_frames: int, reach: int) -> None:
    frames = np.arange(-reach, num_frames + reach)
    # numpy documents reflect padding of a single element as repeating it
    expected = np.pad(np.arange(num_frames), reach, mode="reflect")
    np.testing.assert_array_equal(mirror_frames(frames, num_frames=num_frames), expected)


@given(start=st.integers(-500, 500), num_frames=st.integers(1, 200), spec=specs)
def test_window_reads_real_frames_only(start: int, num_frames: int, spec: ClipSpec) -> None:
    window = window_at(start, num_frames=num_frames, spec=spec)
    assert window.interval == Interval(start, start + spec.window_frames)
    assert len(window.indices) == spec.num_frames
    assert all(type(i) is int and 0 <= i < num_frames for i in window.indices)
    if start >= 0 and window.interval.stop <= num_frames:
        assert window.indices == tuple(range(start, window.interval.stop, spec.sampling_rate))


def test_window_never_freezes_at_the_edge() -> None:
    spec = ClipSpec(num_frames=8, sampling_rate=1)
    assert window_at(-3, num_frames=100, spec=spec).indices == (3, 2, 1, 0, 1, 2, 3, 4)
    assert window_at(96, num_frames=100, spec=spec).indices == (96, 97, 98, 99, 98, 97, 96, 95)
    assert window_at(0, num_frames=3, spec=spec).indices == (0, 1, 2, 1, 0, 1, 2, 1)
    assert window_at(-4, num_frames=1, spec=spec).indices == (0,) * 8


@given(start=st.integers(-50, 50), length=st.integers(1, 200))
def test_central_half_lies_in_the_middle(start: int, length: int) -> None:
    window = Interval(start, start + length)
    half = central_half(window)
    assert half.length == max(1, length // 2)
    assert half.clip(window) == half
    before, after = half.start - window.start, window.stop - half.stop
    assert 0 <= after - before <= 2  # 2 where neither W nor W - 1 is divisible by 4


@given(num_frames=st.integers(1, 400), spec=specs, data=st.data())
def test_every_frame_is_in_the_central_half_of_a_window(
    num_frames: int, spec: ClipSpec, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, max(1, spec.window_frames // 2)))
    windows = plan_windows(num_frames, spec=spec, stride_frames=stride)
    covered = np.zeros(num_frames, dtype=bool)
    for window in windows:
        half = central_half(window.interval).clip(Interval(0, num_frames))
        assert half is not None, "a window that judges no real frame is wasted"
        covered[half.start : half.stop] = True
    assert covered.all()
    starts = [w.interval.start for w in windows]
    assert set(np.diff(starts)) <= {stride}


@given(num_frames=st.integers(1, 300), num_windows=st.integers(1, 40), stride=st.integers(1, 16))
def test_plan_of_a_stream_is_a_prefix(num_frames: int, num_windows: int, stride: int) -> None:
    spec = ClipSpec(num_frames=16, sampling_rate=2)
    short = [w.interval for w in plan_windows(num_frames, spec=spec, stride_frames=stride)]
    longer = plan_windows(num_frames + num_windows, spec=spec, stride_frames=stride)
    assert [w.interval for w in longer][: len(short)] == short


def test_first_and_last_frames_are_judged_from_windows_centred_on_them() -> None:
    windows = plan_windows(101, spec=ClipSpec(num_frames=16, sampling_rate=2), stride_frames=4)
    centres = [w.interval.center for w in windows]
    assert min(centres) == 0
    assert max(centres) >= 101


@pytest.mark.parametrize("stride", [0, -1, 17])
def test_stride_that_skips_frames_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match=r"within 1\.\.16 .* got " + str(stride)):
        plan_windows(100, spec=ClipSpec(num_frames=16, sampling_rate=2), stride_frames=stride)


def test_video_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        plan_windows(0, spec=ClipSpec(), stride_frames=4)
    with pytest.raises(ValueError, match="at least 1 frame"):
        window_at(0, num_frames=0, spec=ClipSpec())


ACTIONS = ActionSet(
    (
        Action("groom", "groom", ActionKind.STATE),
        Action("twitch", "twitch", ActionKind.POINT),
    )
)


def masks(num_frames: int, **bouts: tuple[int, int]) -> np.ndarray:
    ethogram = Ethogram(
        num_frames, 25.0, tuple(Bout(Interval(*span), name) for name, span in bouts.items())
    )
    return action_masks(ethogram, actions=ACTIONS)


def test_action_masks_follow_the_action_set() -> None:
    masks_TK = masks(5, twitch=(1, 3))
    assert masks_TK.tolist() == [
        [False, False],
        [False, True],
        [False, True],
        [False, False],
        [False, False],
    ]


def test_target_is_the_overlap_with_the_central_half() -> None:
    spec = ClipSpec(num_frames=16, sampling_rate=2)  # window of 32, central half 8..24
    window = window_at(100, num_frames=500, spec=spec)
    np.testing.assert_allclose(class_targets(window, masks(500, groom=(100, 108)))[1:], [0, 0])
    np.testing.assert_allclose(class_targets(window, masks(500, groom=(108, 124)))[1:], [1, 0])
    np.testing.assert_allclose(class_targets(window, masks(500, groom=(90, 116)))[1:], [0.5, 0])
    # 3 frames, of which the window samples only one or two: all of them count
    np.testing.assert_allclose(
        class_targets(window, masks(500, twitch=(113, 116)))[1:], [0, 3 / 16]
    )


def test_target_counts_mirrored_frames() -> None:
    spec = ClipSpec(num_frames=16, sampling_rate=1)
    window = window_at(-8, num_frames=100, spec=spec)  # central half [-4, 4) -> 4 3 2 1 0 1 2 3
    np.testing.assert_allclose(class_targets(window, masks(100, twitch=(0, 2)))[1:], [0, 3 / 8])
    np.testing.assert_allclose(class_targets(window, masks(100, groom=(0, 5)))[1:], [1, 0])
    tail = window_at(92, num_frames=100, spec=spec)  # 96 97 98 99 98 97 96 95
    np.testing.assert_allclose(class_targets(tail, masks(100, groom=(98, 100)))[1:], [3 / 8, 0])


def test_class_target_of_plain_and_overlapping_actions() -> None:
    window = window_at(0, num_frames=200, spec=ClipSpec(num_frames=32, sampling_rate=1))  # 8..24
    targets = class_targets(window, masks(200, groom=(0, 12), twitch=(20, 22)))
    np.testing.assert_allclose(targets, [10 / 16, 4 / 16, 2 / 16])
    nested = class_targets(window, masks(200, groom=(0, 50), twitch=(10, 14)))
    np.testing.assert_allclose(nested, [0, 0.8, 0.2], atol=1e-7)
    np.testing.assert_allclose(class_targets(window, masks(200)), [1, 0, 0])


@given(
    start=st.integers(-60, 160),
    spec=specs,
    groom=st.tuples(st.integers(0, 90), st.integers(1, 60)),
    twitch=st.tuples(st.integers(0, 90), st.integers(1, 10)),
)
def test_class_target_is_a_distribution(
    start: int, spec: ClipSpec, groom: tuple[int, int], twitch: tuple[int, int]
) -> None:
    masks_TK = masks(150, groom=(groom[0], sum(groom)), twitch=(twitch[0], sum(twitch)))
    window = window_at(start, num_frames=150, spec=spec)
    half = central_half(window.interval)
    frames = mirror_frames(np.arange(half.start, half.stop), num_frames=150)
    shares_K = masks_TK[frames].mean(axis=0)
    target = class_targets(window, masks_TK)
    assert target.dtype == np.float32
    assert target.sum() == pytest.approx(1, abs=1e-6)
    assert (target >= 0).all()
    assert (target[1:] <= shares_K + 1e-6).all()
    if not masks_TK.all(axis=1).any():
        np.testing.assert_allclose(target[1:], shares_K, atol=1e-6)


def test_masks_of_a_wrong_shape_are_refused() -> None:
    window = window_at(0, num_frames=10, spec=ClipSpec())
    with pytest.raises(ValueError, match=r"shape \(frames, actions\)"):
        class_targets(window, np.zeros(10, dtype=bool))
