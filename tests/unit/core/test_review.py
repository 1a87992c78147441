from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.decoding import decode
from mouse_ar.core.decoding_params import DecodingParams, PointDecoding, StateDecoding
from mouse_ar.core.review import ReviewItem, review_items, seconds_to_look_at, with_context
from mouse_ar.core.summary import frame_edges_seconds
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

ACTIONS = ActionSet(
    (Action("Groom", "Groom", ActionKind.STATE), Action("Twitch", "Twitch", ActionKind.POINT))
)
PARAMS = DecodingParams({"Groom": StateDecoding(), "Twitch": PointDecoding(threshold=0.3)})
FPS, FRAMES = 10.0, 600


def scores(
    groom: np.ndarray | None = None, twitch: np.ndarray | None = None, frames: int = FRAMES
) -> ActionScores:
    columns = [np.full(frames, 0.01) if c is None else c for c in (groom, twitch)]
    return ActionScores(
        np.stack([np.clip(1 - sum(columns), 0, 1), *columns], axis=1).astype(np.float32),
        ACTIONS.classes,
        FPS,
    )


def plateau(*parts: tuple[int, int, float]) -> np.ndarray:
    curve = np.full(FRAMES, 0.01)
    for start, stop, height in parts:
        curve[start:stop] = height
    return curve


def bump(*peaks: tuple[int, float]) -> np.ndarray:
    frames = np.arange(FRAMES)
    return np.max(
        [0.01 + (h - 0.01) * np.exp(-(((frames - m) / 2) ** 2)) for m, h in peaks], axis=0
    )


def found(
    video: ActionScores, *labels: tuple[str, int, int], **options: object
) -> list[ReviewItem]:
    truth = Ethogram(
        video.num_frames, FPS, tuple(Bout(Interval(a, b), name) for name, a, b in labels)
    )
    given = {"labels": truth, **options}
    return review_items(video, actions=ACTIONS, params=PARAMS, **given)  # type: ignore[arg-type]


def test_what_is_near_the_threshold_comes_first_from_either_side() -> None:
    video = scores(plateau((100, 150, 0.72), (200, 250, 0.66), (300, 350, 0.98), (400, 450, 0.1)))
    items = found(video, labels=None)
    assert [item.interval.start // 100 for item in items] == [1, 2]
    assert items[0].reason == "just found: score 0.72, threshold 0.70"
    assert items[1].reason == "just not found: score 0.66, threshold 0.70"
    assert items[0].interval.overlap(Interval(100, 150)) >= 45
    assert 0.8 < items[1].priority < items[0].priority < 1


def test_point_events_near_their_threshold() -> None:
    items = found(scores(twitch=bump((100, 0.33), (300, 0.26), (500, 0.95))), labels=None)
    assert [round(item.interval.center / 100) for item in items] == [1, 3]
    assert items[1].reason == "just not found: score 0.26, threshold 0.30"


def test_scores_that_smoothing_hides_or_makes_up() -> None:
    flicker = plateau((100, 160, 1.0))
    flicker[100:160:3] = 0.0  # a third of the bout below the threshold
    flicker[300:306] = 0.95  # shorter than what a mean over a second lets through
    items = {item.interval.start // 100: item for item in found(scores(flicker), labels=None)}
    assert "before smoothing 35% of the bout is below the threshold" in items[1].reason
    assert "smoothing removed it: mean score 0.95 before" in items[3].reason
    assert items[3].interval == Interval(300, 306)


def test_a_sure_model_against_labels() -> None:
    video = scores(plateau((100, 150, 0.99)), bump((400, 0.97)))
    items = found(video, ("Groom", 300, 350), ("Twitch", 500, 503))
    said = {(item.action, item.reason.split(":")[0]): item for item in items}
    assert set(said) == {
        ("Groom", "found, not labelled"),
        ("Groom", "labelled, not found"),
        ("Twitch", "found, not labelled"),
        ("Twitch", "labelled, not found"),
    }
    assert said["Groom", "found, not labelled"].interval.overlap(Interval(100, 150)) >= 40
    assert said["Groom", "labelled, not found"].interval == Interval(300, 350)
    assert said["Twitch", "labelled, not found"].interval == Interval(500, 503)
    assert all(item.priority > 0.75 for item in items)


def test_labels_and_bouts_that_agree_are_not_asked_for() -> None:
    video = scores(plateau((100, 150, 0.99)), bump((400, 0.97)))
    assert found(video, ("Groom", 95, 156), ("Twitch", 401, 404)) == []


def test_the_part_of_a_bout_that_no_label_has() -> None:
    items = found(scores(plateau((100, 300, 0.99))), ("Groom", 100, 150))
    assert [item.reason for item in items] == ["found, not labelled: score 0.99"]
    assert items[0].interval.start == 160  # a second after the label
    assert items[0].interval.stop == pytest.approx(300, abs=5)


def test_uncertain_frames_are_not_asked_for_again() -> None:
    video = scores(plateau((100, 150, 0.72), (300, 350, 0.72)))
    items = found(video, labels=None, ignored=[Interval(110, 120)])
    assert len(items) == 1
    assert items[0].interval.overlap(Interval(300, 350)) >= 45


def test_parts_that_overlap_are_one_with_all_reasons() -> None:
    flicker = plateau((100, 160, 1.0))
    flicker[100:160:3] = 0.0
    items = found(scores(flicker), labels=None)
    assert len(items) == 1
    assert items[0].reason.startswith("just found: score 0.73, threshold 0.70; before smoothing")


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="a video of 10 frames, the scores of one of 600"):
        found(scores(), labels=Ethogram(10, FPS))
    other = ActionSet((Action("Rear", "Rear", ActionKind.STATE),))
    with pytest.raises(ValueError, match="no class 'Rear', only idle, Groom, Twitch"):
        review_items(scores(), actions=other, params=PARAMS)
    with pytest.raises(ValueError, match=r"within 0\.\.1, got 2"):
        ReviewItem("Groom", Interval(0, 1), 2, "")


def test_time_to_look_at_counts_overlaps_once_and_stays_in_the_video() -> None:
    parts = [
        with_context(Interval(*span), num_frames=FRAMES, fps=FPS, seconds=1)
        for span in ((5, 20), (25, 40), (580, 600))
    ]
    assert parts == [Interval(0, 30), Interval(15, 50), Interval(570, 600)]
    edges = frame_edges_seconds(FRAMES, fps=FPS)
    assert seconds_to_look_at(parts, edges_seconds=edges) == pytest.approx(8)


@settings(max_examples=60, deadline=None)
@given(
    curves=hnp.arrays(np.float64, (2, 80), elements=st.floats(0, 1)),
    spans=st.lists(
        st.tuples(st.sampled_from(ACTIONS.names), st.integers(0, 79), st.integers(1, 30)),
        max_size=5,
    ),
)
def test_items_are_ordered_disjoint_and_within_the_video(
    curves: np.ndarray, spans: list[tuple[str, int, int]]
) -> None:
    video = scores(*curves, frames=80)
    items = found(video, *((name, a, min(80, a + n)) for name, a, n in spans))
    assert [i.priority for i in items] == sorted((i.priority for i in items), reverse=True)
    for name in ACTIONS.names:
        own = sorted(item.interval for item in items if item.action == name)
        assert all(part.start >= 0 and part.stop <= 80 for part in own)
        assert all(a.stop <= b.start for a, b in itertools.pairwise(own))


@given(height=st.floats(0.6, 0.8))
def test_just_found_is_what_decoding_finds(height: float) -> None:
    video = scores(plateau((100, 200, height)))
    bouts = decode(video, actions=ACTIONS, params=PARAMS).bouts
    (item,) = found(video, labels=None)
    assert item.reason.startswith("just found") == bool(bouts)
