"""Bout-level figures, compared with sed_eval and with a second implementation."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind
from mouse_ar.core.event_curves import IOUS, VideoEvents, event_curve, ranked_average_precision
from mouse_ar.core.matching import MatchRule, match_spans
from mouse_ar.core.metrics import bout_counts
from mouse_ar.core.results import Counts

STATE, POINT = ActionKind.STATE, ActionKind.POINT
GROOM, TWITCH = Action("Groom", "Groom", STATE), Action("Twitch", "Twitch", POINT)
FPS, FRAMES = 20.0, 200

Span = tuple[int, int]
spans = st.lists(
    st.builds(lambda a, n: (a, a + n), st.integers(0, 150), st.integers(1, 40)), max_size=8
)


def array(found: list[Span]) -> np.ndarray:
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def video(
    predicted: list[tuple[Span, float]],
    truth: list[Span],
    ignored: Span | None = None,
) -> VideoEvents:
    ignored_T = np.zeros(FRAMES, dtype=bool)
    if ignored is not None:
        ignored_T[slice(*ignored)] = True
    return VideoEvents(
        predicted=array([span for span, _ in predicted]),
        confidence=np.array([confidence for _, confidence in predicted], dtype=np.float64),
        truth=array(truth),
        ignored_T=ignored_T,
        fps=FPS,
    )


@pytest.fixture(scope="module")
def sed_eval() -> Any:
    """The library; dcase_util below it imports a module that setuptools no longer has.

    It needs it for functions that are not called here, so an empty one stands in while importing.
    """
    name = "pkg_resources"
    stand_in = name not in sys.modules
    if stand_in:
        sys.modules[name] = ModuleType(name)
    try:
        import sed_eval as library
    finally:
        if stand_in:
            del sys.modules[name]
    return library


def judged(library: Any, predicted: list[Span], truth: list[Span], **rule: Any) -> Counts:
    """Counts of sed_eval for events given in seconds."""
    from dcase_util.containers import MetaDataContainer

    def events(found: list[Span]) -> Any:
        return MetaDataContainer(
            [
                {"filename": "v", "event_label": "a", "onset": a / FPS, "offset": b / FPS}
                for a, b in found
            ]
        )

    metrics = library.sound_event.EventBasedMetrics(
        event_label_list=["a"], event_matching_type="optimal", **rule
    )
    metrics.evaluate(events(truth), events(predicted))
    found = metrics.class_wise["a"]
    return Counts(tp=int(found["Ntp"]), fp=int(found["Nfp"]), fn=int(found["Nfn"]))


def counts(predicted: list[Span], truth: list[Span], action: Action, rule: MatchRule) -> Counts:
    return bout_counts(
        array(predicted),
        array(truth),
        action=action,
        fps=FPS,
        ignored_T=np.zeros(FRAMES, dtype=bool),
        rule=rule,
    )


@given(predicted=spans, truth=spans, tolerance_frames=st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_point_events_are_counted_as_sed_eval_does(
    sed_eval: Any, predicted: list[Span], truth: list[Span], tolerance_frames: int
) -> None:
    # a quarter of a frame more, so that no distance is on the edge, where rounding would decide
    tolerance = (tolerance_frames + 0.25) / FPS
    found = counts(predicted, truth, TWITCH, MatchRule(point_tolerance_seconds=tolerance))

    def centred(events: list[Span]) -> list[Any]:
        return [((a + b) / 2, (a + b) / 2 + 1) for a, b in events]

    assert found == judged(
        sed_eval,
        centred(predicted),
        centred(truth),
        t_collar=tolerance,
        evaluate_onset=True,
        evaluate_offset=False,
    )


@pytest.mark.parametrize(("moved", "matches"), [(5, True), (6, False)])
def test_the_tolerance_of_the_design_is_inclusive_in_both(
    sed_eval: Any, moved: int, matches: bool
) -> None:
    truth, predicted = [(100, 104)], [(100 + moved, 104 + moved)]  # 5 frames are 0.25 s
    found = counts(predicted, truth, TWITCH, MatchRule())
    assert found == Counts(tp=int(matches), fp=int(not matches), fn=int(not matches))
    centred = [[((a + b) // 2, (a + b) // 2 + 1) for a, b in e] for e in (predicted, truth)]
    assert found == judged(sed_eval, *centred, t_collar=0.25, evaluate_offset=False)


@given(truth=spans, moved=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=8))
@settings(max_examples=100, deadline=None)
def test_state_events_with_close_edges_are_counted_as_sed_eval_does(
    sed_eval: Any, truth: list[Span], moved: list[tuple[int, int]]
) -> None:
    # Bouts of 40 frames with edges off by at most 3, and false ones in the gaps between: of those
    # both rules, close edges and an overlap of a half, say the same.
    true = [(50 * i, 50 * i + 40) for i in range(len(truth))]
    predicted = [(a + d, b + e) for (a, b), (d, e) in zip(true, moved, strict=False)]
    false = [(50 * i + 45, 50 * i + 48) for i in range(len(moved))]
    every = [span for span in (*predicted, *false) if span[0] >= 0 and span[1] <= 50 * 9]
    found = bout_counts(
        array(every),
        array(true),
        action=GROOM,
        fps=FPS,
        ignored_T=np.zeros(50 * 9, dtype=bool),
        rule=MatchRule(),
    )
    collar = 3.25 / FPS
    assert found == judged(sed_eval, every, true, t_collar=collar, percentage_of_length=0.0)


def iou(a: Span, b: Span) -> float:
    shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / ((a[1] - a[0]) + (b[1] - b[0]) - shared)


def oracle(
    videos: list[tuple[list[tuple[Span, float]], list[Span]]], least_iou: float
) -> float | None:
    """Average precision as the ActivityNet challenge describes it, written as plainly as can be.

    One list of all predictions by confidence; each takes the free true bout of its video that it
    overlaps most; precision made non-increasing from the right; area under the steps. Ties are
    met by ranking the better overlap first and by looking at the curve only between confidences.
    """
    total = sum(len(truth) for _, truth in videos)
    if total == 0:
        return None
    ranked = []
    for which, (predicted, truth) in enumerate(videos):
        for span, confidence in predicted:
            overlaps = [iou(span, other) for other in truth if iou(span, other) >= least_iou]
            ranked.append((-confidence, -max(overlaps, default=-1), which, span))
    # the order given settles what confidence and overlap leave open
    ranked = sorted(ranked, key=lambda line: line[:3])
    free = [list(truth) for _, truth in videos]
    curve, hits = [], 0
    for rank, (minus_confidence, _, which, span) in enumerate(ranked, start=1):
        fitting = [other for other in free[which] if iou(span, other) >= least_iou]
        if fitting:
            hits += 1
            free[which].remove(max(fitting, key=lambda other: iou(span, other)))
        if rank == len(ranked) or ranked[rank][0] != minus_confidence:
            curve.append((hits / total, hits / rank))
    area, reached = 0.0, 0.0
    for i, (recall, _) in enumerate(curve):
        area += (recall - reached) * max(precision for _, precision in curve[i:])
        reached = recall
    return area


predictions = st.lists(
    st.tuples(
        st.builds(lambda a, n: (a, a + n), st.integers(0, 100), st.integers(1, 40)),
        st.integers(1, 6).map(lambda tenths: tenths / 10),  # ties are common
    ),
    max_size=7,
)
some_videos = st.lists(st.tuples(predictions, spans), min_size=1, max_size=3)


@given(some_videos, st.sampled_from(IOUS))
@settings(max_examples=400, deadline=None)
def test_average_precision_agrees_with_a_second_implementation(
    videos: list[tuple[list[tuple[Span, float]], list[Span]]], least_iou: float
) -> None:
    found = ranked_average_precision(
        [video(predicted, truth) for predicted, truth in videos],
        kind=STATE,
        rule=MatchRule(state_iou=least_iou),
    )
    expected = oracle(videos, least_iou)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_average_precision_of_a_worked_example() -> None:
    # ranked: hit, miss, hit; of three true bouts one is never found
    predicted = [((0, 20), 0.9), ((60, 80), 0.8), ((100, 120), 0.7)]
    found = ranked_average_precision(
        [video(predicted, [(0, 20), (100, 120), (150, 170)])], kind=STATE, rule=MatchRule()
    )
    assert found == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)


def test_predictions_of_all_videos_are_ranked_together() -> None:
    sure_and_wrong = video([((50, 60), 0.9)], [(0, 10)])
    unsure_and_right = video([((0, 10), 0.5)], [(0, 10)])
    rule = MatchRule()
    found = ranked_average_precision([sure_and_wrong, unsure_and_right], kind=STATE, rule=rule)
    assert found == pytest.approx(1 / 2 * 1 / 2)
    assert ranked_average_precision([unsure_and_right], kind=STATE, rule=rule) == 1


def test_equal_confidence_does_not_depend_on_the_order() -> None:
    # both overlap the one true bout; the better one gets it, whichever comes first
    close, far = ((0, 20), 0.5), ((8, 24), 0.5)
    for predicted in ([close, far], [far, close]):
        found = ranked_average_precision(
            [video(predicted, [(0, 20), (100, 110)])], kind=STATE, rule=MatchRule(state_iou=0.4)
        )
        assert found == pytest.approx(1 / 2 * 1 / 2)


def test_ignored_predictions_count_only_when_they_match() -> None:
    predicted = [((40, 60), 0.9), ((0, 20), 0.5)]
    rule = MatchRule()
    alone = [video(predicted, [(0, 20)])]
    excused = [video(predicted, [(0, 20)], ignored=(45, 55))]
    matching = [video(predicted, [(0, 20), (40, 60)], ignored=(49, 52))]
    assert ranked_average_precision(alone, kind=STATE, rule=rule) == pytest.approx(1 / 2)
    assert ranked_average_precision(excused, kind=STATE, rule=rule) == 1
    assert ranked_average_precision(matching, kind=STATE, rule=rule) == 1


@given(some_videos)
@settings(deadline=None)
def test_curve_counts_fall_with_the_overlap_and_match_one_to_one(
    videos: list[tuple[list[tuple[Span, float]], list[Span]]],
) -> None:
    curve = event_curve([video(*found) for found in videos], action=TWITCH)
    hits = [c.tp for c in curve.counts]
    assert hits == sorted(hits, reverse=True)
    for least_iou, found in zip(curve.ious, curve.counts, strict=True):
        expected = sum(
            len(
                match_spans(
                    array([span for span, _ in predicted]),
                    array(truth),
                    kind=STATE,
                    fps=FPS,
                    rule=MatchRule(state_iou=least_iou),
                )
            )
            for predicted, truth in videos
        )
        assert found.tp == expected
        assert found.tp + found.fp == sum(len(predicted) for predicted, _ in videos)
        assert found.tp + found.fn == sum(len(truth) for _, truth in videos)


def test_point_events_have_an_average_precision_by_their_centres_too() -> None:
    moved = [video([((12, 16), 0.9)], [(8, 12)])]  # 0.2 s beside, no frame in common
    curve = event_curve(moved, action=TWITCH)
    assert curve.mean_average_precision == 0
    assert curve.centre_average_precision == 1
    assert event_curve(moved, action=GROOM).centre_average_precision is None


def test_nothing_true_has_no_average_precision() -> None:
    curve = event_curve([video([((0, 5), 0.5)], [])], action=GROOM)
    assert curve.average_precision == (None,) * len(IOUS)
    assert curve.mean_average_precision is None
    assert curve.counts[0] == Counts(fp=1)
    silent = event_curve([video([], [(0, 5)])], action=GROOM)
    assert silent.mean_average_precision == 0
    assert silent.to_dict()["counts"][0]["precision"] is None
