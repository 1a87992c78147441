from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.trimming import clip_frame_limits, plan_action_clips
from mouse_ar.core.types import Bout, Clip, Ethogram, Interval, merge_intervals

ACTIONS = ActionSet(
    (
        Action("groom", "Groom-Clips", ActionKind.STATE),
        Action("twitch", "Twitch-Clips", ActionKind.POINT),
    )
)
FPS = 20.0  # clips of 40..60 frames, context 5


def ethogram(num_frames: int, fps: float = FPS, **bouts: list[tuple[int, int]]) -> Ethogram:
    return Ethogram(
        num_frames,
        fps,
        tuple(Bout(Interval(*span), name) for name, spans in bouts.items() for span in spans),
    )


def intervals(clips: list[Clip]) -> list[tuple[int, int]]:
    return [(c.interval.start, c.interval.stop) for c in clips]


@st.composite
def ethograms(draw: st.DrawFn) -> Ethogram:
    num_frames = draw(st.integers(1, 1500))
    fps = draw(st.sampled_from([5.0, 12.5, 20.0, 29.97, 120.0]))
    bouts = []
    for action, longest in (("groom", 400), ("twitch", 12)):
        for _ in range(draw(st.integers(0, 8))):
            start = draw(st.integers(0, num_frames - 1))
            stop = min(num_frames, start + draw(st.integers(1, longest)))
            bouts.append(Bout(Interval(start, stop), action))
    return Ethogram(num_frames, fps, tuple(bouts))


@given(ethogram=ethograms())
@settings(max_examples=400)
def test_clips_cover_bouts_with_context_inside_the_video(ethogram: Ethogram) -> None:
    clips = plan_action_clips(ethogram, actions=ACTIONS)
    shortest, longest = clip_frame_limits(ethogram.fps, num_frames=ethogram.num_frames)
    context = int(0.25 * ethogram.fps)
    for action in ACTIONS.actions:
        own = [c.interval for c in clips if c.dataset == action.dataset]
        assert own == sorted(own)
        covered = merge_intervals(own)
        for bout in ethogram.of(action.name):
            wanted = Interval(
                max(0, bout.interval.start - context),
                min(ethogram.num_frames, bout.interval.stop + context),
            )
            assert any(c.overlap(wanted) == wanted.length for c in covered)
        for interval in own:
            assert shortest <= interval.length <= longest
            assert interval.start >= 0
            assert interval.stop <= ethogram.num_frames
    for clip in clips:
        shown = [b.action for b in clip.bouts]
        assert any(ACTIONS.dataset_of(a) == clip.dataset for a in shown), "clip shows no such bout"


@given(ethogram=ethograms())
@settings(max_examples=400)
def test_clips_of_one_action_share_no_frames(ethogram: Ethogram) -> None:
    clips = plan_action_clips(ethogram, actions=ACTIONS)
    shortest, _ = clip_frame_limits(ethogram.fps, num_frames=ethogram.num_frames)
    for action in ACTIONS.actions:
        own = [c.interval for c in clips if c.dataset == action.dataset]
        if len(own) * shortest <= ethogram.num_frames:
            assert all(a.stop <= b.start for a, b in pairwise(own))
        else:
            assert len(own) <= 2, "overlap only where two clips do not fit the video"


@given(ethogram=ethograms(), shift=st.randoms(use_true_random=False))
def test_plan_does_not_depend_on_the_order_of_bouts(ethogram: Ethogram, shift: object) -> None:
    bouts = list(ethogram.bouts)
    shift.shuffle(bouts)  # type: ignore[attr-defined]
    shuffled = Ethogram(ethogram.num_frames, ethogram.fps, tuple(bouts))
    assert plan_action_clips(shuffled, actions=ACTIONS) == plan_action_clips(
        ethogram, actions=ACTIONS
    )


@given(ethogram=ethograms())
def test_clip_bouts_are_the_frames_of_the_video(ethogram: Ethogram) -> None:
    for clip in plan_action_clips(ethogram, actions=ACTIONS):
        inside = Ethogram(clip.interval.length, ethogram.fps, clip.bouts)
        for name in ACTIONS.names:
            expected = ethogram.mask(name)[clip.interval.start : clip.interval.stop]
            assert (inside.mask(name) == expected).all()


def test_short_bout_gets_context_on_both_sides() -> None:
    (clip,) = plan_action_clips(ethogram(1000, twitch=[(500, 504)]), actions=ACTIONS)
    assert clip == Clip("Twitch-Clips", Interval(482, 522), (Bout(Interval(18, 22), "twitch"),))


@pytest.mark.parametrize(("bout", "clip"), [((0, 4), (0, 40)), ((996, 1000), (960, 1000))])
def test_clip_is_shifted_inside_the_video(bout: tuple[int, int], clip: tuple[int, int]) -> None:
    assert intervals(plan_action_clips(ethogram(1000, twitch=[bout]), actions=ACTIONS)) == [clip]


def test_bout_up_to_the_longest_clip_with_context_is_one_clip() -> None:
    plan = plan_action_clips(ethogram(1000, groom=[(100, 150)]), actions=ACTIONS)
    assert intervals(plan) == [(95, 155)]


def test_long_bout_is_split_into_clips_that_cover_it_and_its_context() -> None:
    clips = plan_action_clips(ethogram(1000, groom=[(100, 400)]), actions=ACTIONS)
    edges = intervals(clips)
    assert edges[0][0] == 95
    assert edges[-1][1] == 405
    assert [a[1] for a in edges[:-1]] == [b[0] for b in edges[1:]]
    assert all(40 <= stop - start <= 60 for start, stop in edges)
    assert sum(b.interval.length for c in clips for b in c.bouts) == 300


def test_bout_slightly_too_long_for_a_clip_becomes_two_with_more_context() -> None:
    plan = plan_action_clips(ethogram(1000, groom=[(100, 160)]), actions=ACTIONS)
    assert intervals(plan) == [(90, 130), (130, 170)]


def test_neighbours_that_fit_share_a_clip() -> None:
    (clip,) = plan_action_clips(ethogram(1000, twitch=[(500, 504), (530, 534)]), actions=ACTIONS)
    assert len(clip.bouts) == 2


def test_neighbours_that_do_not_fit_get_clips_without_common_frames() -> None:
    clips = plan_action_clips(ethogram(1000, twitch=[(500, 504), (552, 556)]), actions=ACTIONS)
    assert [len(c.bouts) for c in clips] == [1, 1]
    assert clips[0].interval.stop <= clips[1].interval.start


def test_cuts_avoid_twitches_inside_a_long_bout() -> None:
    plain = plan_action_clips(ethogram(1000, groom=[(100, 400)]), actions=ACTIONS)
    for cut in [c.interval.start for c in plain[1:]]:
        busy = ethogram(1000, groom=[(100, 400)], twitch=[(cut - 2, cut + 2)])
        grooming = [
            c for c in plan_action_clips(busy, actions=ACTIONS) if c.dataset == "Groom-Clips"
        ]
        twitches = [b for c in grooming for b in c.bouts if b.action == "twitch"]
        assert [b.interval.length for b in twitches] == [4]


def test_twitch_within_grooming_is_in_both_datasets() -> None:
    plan = plan_action_clips(
        ethogram(1000, groom=[(480, 520)], twitch=[(498, 502)]), actions=ACTIONS
    )
    assert [c.dataset for c in plan] == ["Groom-Clips", "Twitch-Clips"]
    for clip in plan:
        assert {b.action for b in clip.bouts} == {"groom", "twitch"}


def test_overlapping_tags_of_one_action_are_one_bout_and_touching_ones_are_two() -> None:
    (clip,) = plan_action_clips(ethogram(500, groom=[(200, 215), (210, 220)]), actions=ACTIONS)
    assert [b.interval.length for b in clip.bouts] == [20]
    (clip,) = plan_action_clips(ethogram(500, twitch=[(200, 204), (204, 208)]), actions=ACTIONS)
    assert [b.interval.length for b in clip.bouts] == [4, 4]


def test_video_shorter_than_a_clip_is_the_clip() -> None:
    plan = plan_action_clips(ethogram(16, groom=[(0, 16)]), actions=ACTIONS)
    assert plan == [Clip("Groom-Clips", Interval(0, 16), (Bout(Interval(0, 16), "groom"),))]


def test_nothing_to_cut() -> None:
    assert plan_action_clips(ethogram(1000), actions=ACTIONS) == []
    assert plan_action_clips(Ethogram(0, 25.0), actions=ACTIONS) == []


def test_long_recording_is_planned_quickly_and_completely() -> None:
    spans = [(i * 900 + 100, i * 900 + 100 + 60 + i % 300) for i in range(400)]
    clips = plan_action_clips(ethogram(400 * 900, groom=spans), actions=ACTIONS)
    shown = sum(b.interval.length for c in clips for b in c.bouts)
    assert shown == sum(stop - start for start, stop in spans)


@pytest.mark.parametrize(
    ("fps", "num_frames", "limits"),
    [
        (25.0, 1000, (50, 75)),
        (29.97, 1000, (60, 89)),
        (120.0, 1000, (240, 360)),
        (0.4, 1000, (1, 1)),
        (25.0, 60, (50, 60)),
        (25.0, 16, (16, 16)),
    ],
)
def test_clip_limits(fps: float, num_frames: int, limits: tuple[int, int]) -> None:
    assert clip_frame_limits(fps, num_frames=num_frames) == limits


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown actions \['sniff'\]; allowed: groom, twitch"):
        plan_action_clips(ethogram(10, sniff=[(0, 1)]), actions=ACTIONS)
    with pytest.raises(ValueError, match=r"min_seconds <= max_seconds, got 3\.0 and 2\.0"):
        plan_action_clips(
            ethogram(10, groom=[(0, 1)]), actions=ACTIONS, min_seconds=3.0, max_seconds=2.0
        )
    with pytest.raises(ValueError, match="context_seconds must be >= 0"):
        plan_action_clips(ethogram(10), actions=ACTIONS, context_seconds=-1)
