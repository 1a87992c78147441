from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.core.splitting import Split, VideoSummary, assign_splits


@st.composite
def video_lists(draw: st.DrawFn, max_size: int = 30) -> list[VideoSummary]:
    groups = st.sampled_from([None, None, None, "a", "b", "c"])
    counts = st.fixed_dictionaries({"groom": st.integers(0, 20), "twitch": st.integers(0, 3)})
    drawn = draw(st.lists(st.tuples(groups, counts), min_size=1, max_size=max_size))
    return [VideoSummary(f"v{i}", group, count) for i, (group, count) in enumerate(drawn)]


def sizes(splits: dict[str, Split]) -> tuple[int, int, int]:
    number = Counter(splits.values())
    return number[Split.TRAIN], number[Split.VAL], number[Split.TEST]


def plain(number: int, counts: dict[str, int] | None = None) -> list[VideoSummary]:
    return [VideoSummary(f"v{i}", None, counts or {"groom": 3, "twitch": 2}) for i in range(number)]


@pytest.mark.parametrize(
    ("videos", "expected"),
    [
        (1, (1, 0, 0)),
        (2, (1, 0, 1)),
        (5, (4, 0, 1)),
        (6, (4, 1, 1)),
        (10, (7, 1, 2)),
        (20, (14, 2, 4)),
        (50, (35, 5, 10)),
        (100, (80, 10, 10)),
    ],
)
def test_default_sizes(videos: int, expected: tuple[int, int, int]) -> None:
    assert sizes(assign_splits(plain(videos), previous={})) == expected


@pytest.mark.parametrize(
    ("test_videos", "expected"),
    [(0, 0), (3, 3), (9, 9), (0.0, 0), (0.3, 3), (0.01, 1), (0.99, 9)],
)
def test_requested_test_size(test_videos: float, expected: int) -> None:
    splits = assign_splits(plain(10), previous={}, test_videos=test_videos)
    assert sizes(splits)[2] == expected
    assert sizes(splits)[0] >= 1


def test_no_validation_on_request() -> None:
    assert sizes(assign_splits(plain(20), previous={}, val_share=0))[1] == 0


@pytest.mark.parametrize("test_videos", [-1, 10, 11, 1.0, 1.5, -0.1, float("nan")])
def test_impossible_test_sizes_are_refused(test_videos: float) -> None:
    with pytest.raises(ValueError, match=f"test_videos={test_videos} is "):
        assign_splits(plain(10), previous={}, test_videos=test_videos)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"val_share must satisfy .* got 1\.0"):
        assign_splits(plain(3), previous={}, val_share=1.0)
    with pytest.raises(ValueError, match=r"unique, got several of \['v0'\]"):
        assign_splits(plain(1) * 2, previous={})
    with pytest.raises(ValueError, match=r"'v': bout counts must be >= 0, got \{'groom': -1\}"):
        VideoSummary("v", None, {"groom": -1})


def test_nothing_to_split() -> None:
    assert assign_splits([], previous={}) == {}


@given(videos=video_lists(), seed=st.integers(0, 3), order=st.randoms(use_true_random=False))
def test_order_of_videos_does_not_matter(
    videos: list[VideoSummary], seed: int, order: object
) -> None:
    splits = assign_splits(videos, previous={}, seed=seed)
    assert list(splits) == [v.key for v in videos]
    shuffled = list(videos)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign_splits(shuffled, previous={}, seed=seed) == splits


@given(videos=video_lists(), seed=st.integers(0, 3), data=st.data())
def test_splits_are_stable_when_videos_are_added(
    videos: list[VideoSummary], seed: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, len(videos)))
    before = assign_splits(videos[:number], previous={}, seed=seed)
    after = assign_splits(videos, previous=before, seed=seed)
    assert {key: after[key] for key in before} == before
    assert assign_splits(videos, previous=after, seed=seed + 1) == after, "a rerun changes nothing"
    gone = assign_splits(videos[:number], previous=after, seed=seed)
    assert gone == before


@given(videos=video_lists(), data=st.data())
def test_groups_stay_together(videos: list[VideoSummary], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(videos)))
    before = assign_splits(videos[:number], previous={})
    splits = assign_splits(videos, previous=before)
    for group in {v.group for v in videos} - {None}:
        assert len({splits[v.key] for v in videos if v.group == group}) == 1


@given(videos=video_lists(), test_share=st.floats(0, 0.9), val_share=st.floats(0, 0.9))
@settings(max_examples=300)
def test_train_keeps_a_video_of_every_action(
    videos: list[VideoSummary], test_share: float, val_share: float
) -> None:
    splits = assign_splits(videos, previous={}, test_videos=test_share, val_share=val_share)
    train = [v for v in videos if splits[v.key] == Split.TRAIN]
    assert train
    for action in ("groom", "twitch"):
        if any(v.counts[action] for v in videos):
            assert any(v.counts[action] for v in train)


def test_action_seen_in_one_video_only_stays_in_train() -> None:
    videos = [*plain(10, {"groom": 5}), VideoSummary("rare", None, {"groom": 5, "twitch": 1})]
    for seed in range(20):
        splits = assign_splits(videos, previous={}, seed=seed, test_videos=9)
        assert splits["rare"] == Split.TRAIN


def test_test_and_val_hold_every_action_that_they_can() -> None:
    videos = [
        *plain(27, {"groom": 5}),
        *[VideoSummary(f"t{i}", None, {"twitch": 2}) for i in "abc"],
    ]
    for seed in range(10):
        splits = assign_splits(videos, previous={}, seed=seed)
        assert {splits["ta"], splits["tb"], splits["tc"]} == set(Split)


@pytest.mark.parametrize("seed", range(5))
def test_bouts_are_shared_in_proportion(seed: int) -> None:
    videos = [
        VideoSummary(f"v{i}", None, {"groom": 1 + (i * 7) % 13, "twitch": (i * 5) % 11})
        for i in range(50)
    ]
    splits = assign_splits(videos, previous={}, seed=seed)
    assert sizes(splits) == (35, 5, 10)
    for action in ("groom", "twitch"):
        total = sum(v.counts[action] for v in videos)
        for split, share in ((Split.TEST, 0.2), (Split.VAL, 0.1)):
            got = sum(v.counts[action] for v in videos if splits[v.key] == split)
            assert got / total == pytest.approx(share, abs=0.02)


def test_seed_decides_among_equals() -> None:
    chosen = {
        key
        for seed in range(40)
        for key, split in assign_splits(plain(10), previous={}, seed=seed).items()
        if split == Split.TEST
    }
    assert len(chosen) == 10, "every video gets its turn"


def test_new_video_of_a_group_joins_it() -> None:
    videos = [VideoSummary("old", "animal 1"), VideoSummary("new", "animal 1"), *plain(8)]
    splits = assign_splits(videos, previous={"old": Split.TEST})
    assert splits["new"] == Split.TEST


def test_divided_group_is_refused() -> None:
    videos = [VideoSummary("a", "animal 1"), VideoSummary("b", "animal 1")]
    with pytest.raises(ValueError, match=r"'animal 1' must not be divided.*a: test, b: train"):
        assign_splits(videos, previous={"a": Split.TEST, "b": Split.TRAIN})


def test_group_larger_than_test_is_used_only_when_nothing_else_fits() -> None:
    pairs = [VideoSummary(f"{g}{i}", g, {"groom": 1}) for g in "abc" for i in range(3)]
    splits = assign_splits(pairs, previous={}, test_videos=1, val_share=0)
    assert sizes(splits) == (6, 0, 3)
    splits = assign_splits([*pairs, VideoSummary("x")], previous={}, test_videos=1, val_share=0)
    assert splits["x"] == Split.TEST
    assert sizes(splits) == (9, 0, 1)


def test_single_group_stays_in_train() -> None:
    videos = [VideoSummary(f"v{i}", "animal", {"groom": 1}) for i in range(8)]
    assert sizes(assign_splits(videos, previous={})) == (8, 0, 0)


def test_many_videos_are_split_quickly() -> None:
    assert sizes(assign_splits(plain(500), previous={}, test_videos=0.2)) == (350, 50, 100)
