from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.balancing import idle_budget, idle_regions, plan_idle_clips
from mouse_ar.core.types import Bout, Ethogram, Interval


@st.composite
def regions_by_video(draw: st.DrawFn) -> dict[str, list[Interval]]:
    videos = {}
    for name in range(draw(st.integers(1, 4))):
        end, regions = 0, []
        for _ in range(draw(st.integers(0, 5))):
            start = end + draw(st.integers(1, 80))
            end = start + draw(st.integers(1, 700))
            regions.append(Interval(start, end))
        videos[f"video {name}"] = regions
    return videos


LIMITS = (50, 75)


def plan(
    videos: dict[str, list[Interval]], budget_frames: int, seed: int = 0, **options: int
) -> dict[str, list[Interval]]:
    return plan_idle_clips(
        videos,
        budget_frames=budget_frames,
        clip_frames=dict.fromkeys(videos, LIMITS),
        seed=seed,
        **options,
    )


@given(videos=regions_by_video(), budget=st.integers(0, 3000), seed=st.integers(0, 5))
def test_clips_lie_apart_inside_the_regions(
    videos: dict[str, list[Interval]], budget: int, seed: int
) -> None:
    for key, clips in plan(videos, budget, seed).items():
        assert clips == sorted(clips)
        assert all(a.stop <= b.start for a, b in itertools.pairwise(clips))
        for clip in clips:
            assert LIMITS[0] <= clip.length <= LIMITS[1]
            assert any(clip.clip(region) == clip for region in videos[key])


@given(videos=regions_by_video(), budget=st.integers(0, 3000))
def test_budget_is_met_to_a_clip_or_the_regions_run_out(
    videos: dict[str, list[Interval]], budget: int
) -> None:
    total = sum(c.length for clips in plan(videos, budget).values() for c in clips)
    everything = sum(c.length for clips in plan(videos, 10**9).values() for c in clips)
    assert total < budget + LIMITS[1]
    assert total >= min(budget, everything)
    if budget == 0:
        assert total == 0


@given(videos=regions_by_video())
def test_no_long_idle_stretch_is_wasted(videos: dict[str, list[Interval]]) -> None:
    for key, clips in plan(videos, 10**9).items():
        for region in videos[key]:
            used = sum(c.overlap(region) for c in clips)
            if region.length < LIMITS[0]:
                assert used == 0
            elif region.length >= 2 * LIMITS[0]:
                assert used >= 0.9 * region.length
            else:
                assert used == min(region.length, LIMITS[1])


@given(
    videos=regions_by_video(),
    budget=st.integers(0, 3000),
    seed=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_plan_does_not_depend_on_the_order_of_videos(
    videos: dict[str, list[Interval]], budget: int, seed: int, order: object
) -> None:
    items = list(videos.items())
    order.shuffle(items)  # type: ignore[attr-defined]
    assert plan(dict(items), budget, seed) == plan(videos, budget, seed)


def test_another_seed_takes_other_clips() -> None:
    videos = {"a": [Interval(0, 100_000)]}
    assert plan(videos, 1000, seed=1) != plan(videos, 1000, seed=2)


@pytest.mark.parametrize("budget", [700, 2500, 6000, 20_000])
@pytest.mark.parametrize("seed", range(5))
def test_clips_are_spread_over_the_whole_timeline(budget: int, seed: int) -> None:
    clips = plan({"a": [Interval(0, 50_000)]}, budget, seed)["a"]
    centres = np.array([c.center for c in clips])
    # as if on a circle, the gap between neighbours is at most twice the even one
    gaps = np.diff(np.append(centres, centres[0] + 50_000))
    assert gaps.max() <= 2 * 50_000 / len(clips) + LIMITS[1]


@pytest.mark.parametrize("seed", range(5))
def test_videos_give_in_proportion_to_their_idle_time(seed: int) -> None:
    lengths = {"none": 0, "short": 5_000, "middle": 20_000, "long": 75_000}
    videos = {k: [Interval(0, n)] if n else [] for k, n in lengths.items()}
    chosen = plan(videos, 10_000, seed)
    for key, length in lengths.items():
        taken = sum(c.length for c in chosen[key])
        assert abs(taken - length * 0.1) <= 2 * LIMITS[1]
    assert chosen["none"] == []


def test_short_regions_are_whole_clips_when_a_window_fits() -> None:
    videos = {"a": [Interval(0, 40), Interval(100, 110)]}
    assert plan(videos, 1000) == {"a": []}
    assert plan(videos, 1000, window_frames=32) == {"a": [Interval(0, 40)]}


def test_video_shorter_than_a_clip_is_one_clip() -> None:
    chosen = plan_idle_clips(
        {"tiny": [Interval(0, 16)]}, budget_frames=100, clip_frames={"tiny": (16, 16)}, seed=0
    )
    assert chosen == {"tiny": [Interval(0, 16)]}


def test_bad_requests_are_refused() -> None:
    videos = {"a": [Interval(0, 100)]}
    with pytest.raises(ValueError, match=r"budget_frames must be >= 0, got -1"):
        plan(videos, -1)
    with pytest.raises(ValueError, match="No clip length given for video 'a'"):
        plan_idle_clips(videos, budget_frames=1, clip_frames={}, seed=0)
    with pytest.raises(ValueError, match=r"video 'a' must satisfy .* got \(9, 3\)"):
        plan_idle_clips(videos, budget_frames=1, clip_frames={"a": (9, 3)}, seed=0)


def ethogram(num_frames: int, *spans: tuple[int, int]) -> Ethogram:
    return Ethogram(num_frames, 25.0, tuple(Bout(Interval(*span), "x") for span in spans))


def test_idle_regions_keep_a_margin() -> None:
    assert idle_regions(ethogram(100, (20, 30), (60, 70)), margin_frames=5) == [
        Interval(0, 15),
        Interval(35, 55),
        Interval(75, 100),
    ]
    assert idle_regions(ethogram(100), margin_frames=5) == [Interval(0, 100)]
    assert idle_regions(ethogram(100, (3, 97)), margin_frames=5) == []
    assert idle_regions(ethogram(0), margin_frames=5) == []


def test_ignored_frames_are_not_idle() -> None:
    regions = idle_regions(ethogram(50, (0, 10)), margin_frames=0, ignored=[Interval(20, 30)])
    assert regions == [Interval(10, 20), Interval(30, 50)]


@given(
    num_frames=st.integers(0, 200),
    spans=st.lists(st.tuples(st.integers(0, 199), st.integers(1, 50)), max_size=6),
    margin=st.integers(0, 30),
)
def test_idle_regions_are_exactly_the_frames_away_from_bouts(
    num_frames: int, spans: list[tuple[int, int]], margin: int
) -> None:
    bouts = [(s, min(s + n, num_frames)) for s, n in spans if s < num_frames]
    regions = idle_regions(ethogram(num_frames, *bouts), margin_frames=margin)
    idle = {f for r in regions for f in range(r.start, r.stop)}
    near = {f for s, e in bouts for f in range(s - margin, e + margin)}
    assert idle == set(range(num_frames)) - near
    assert all(a.stop < b.start for a, b in itertools.pairwise(regions))


def test_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin_frames must be >= 0"):
        idle_regions(ethogram(10), margin_frames=-1)


def test_idle_budget_clamps_at_zero() -> None:
    assert idle_budget(1000, already_sampled=300, ratio=1.0) == 700
    assert idle_budget(1000, already_sampled=300, ratio=2.5) == 2200
    assert idle_budget(1000, already_sampled=1300, ratio=1.0) == 0
    with pytest.raises(ValueError, match=r"ratio=-1"):
        idle_budget(1000, already_sampled=0, ratio=-1)
