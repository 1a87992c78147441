from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.comparison import (
    MEASURES,
    animal_values,
    compare,
    hedges_g,
    holm,
    mean_interval,
    permutation_p,
    smallest_p,
)
from mouse_ar.core.summary import frame_edges_seconds
from mouse_ar.core.types import Bout, Ethogram, Interval

ACTIONS = ActionSet(
    (Action("Groom", "Groom", ActionKind.STATE), Action("Twitch", "Twitch", ActionKind.POINT))
)
CONTROL = (4.0, 5.5, 6.0, 4.5, 5.0)
TREATMENT = (7.0, 6.5, 9.0, 8.0)


def video(*spans: tuple[int, int], frames: int = 600) -> tuple[Ethogram, np.ndarray]:
    seen = Ethogram(frames, 10, tuple(Bout(Interval(a, b), "Groom") for a, b in spans))
    return seen, frame_edges_seconds(frames, fps=10)


def animal(**values: float | None) -> dict[str, dict[str, float | None]]:
    every: dict[str, float | None] = {**dict.fromkeys(MEASURES, 1.0), **values}
    return dict.fromkeys(ACTIONS.names, every)


def test_an_animals_videos_are_pooled() -> None:
    found = animal_values(
        [video((100, 150), (120, 170)), video((300, 330)), video()], actions=ACTIONS
    )
    assert found["Groom"] == {
        "bouts_per_hour": pytest.approx(3 / 180 * 3600),
        "time_share": pytest.approx((7 + 3) / 180),
        "mean_bout_seconds": pytest.approx((5 + 5 + 3) / 3),
        "latency_seconds": pytest.approx((10 + 30) / 2),
    }
    assert found["Twitch"] == {
        "bouts_per_hour": 0,
        "time_share": 0,
        "mean_bout_seconds": None,
        "latency_seconds": None,
    }
    with pytest.raises(ValueError, match="hold no frames"):
        animal_values([video(frames=0)], actions=ACTIONS)


def test_hedges_g_by_hand() -> None:
    """Two groups of two: means 1 and 3, pooled SD sqrt(2), J(2) = 1 / sqrt(pi)."""
    g, interval = hedges_g((0.0, 2.0), (2.0, 4.0))
    assert g == pytest.approx(2 / math.sqrt(2) / math.sqrt(math.pi))
    assert interval is not None


def test_hedges_g_and_its_interval_agree_with_the_noncentral_t() -> None:
    g, interval = hedges_g(CONTROL, TREATMENT)
    t = stats.ttest_ind(TREATMENT, CONTROL).statistic
    scale = math.sqrt(len(CONTROL) * len(TREATMENT) / (len(CONTROL) + len(TREATMENT)))
    freedom = len(CONTROL) + len(TREATMENT) - 2
    assert g == pytest.approx(t / scale * (1 - 3 / (4 * freedom - 1)), rel=2e-3)
    assert interval is not None
    for end, share in zip(interval, (0.975, 0.025), strict=True):
        assert stats.nct.cdf(t, freedom, end * scale) == pytest.approx(share, abs=1e-6)
    assert interval[0] < g < interval[1]
    turned, mirrored = hedges_g(TREATMENT, CONTROL)
    assert turned == pytest.approx(-g)
    assert mirrored == pytest.approx((-interval[1], -interval[0]))


def test_the_interval_holds_the_true_effect_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(300):
        _, interval = hedges_g(rng.normal(0, 1, 6), rng.normal(1, 1, 7))
        assert interval is not None
        inside += interval[0] <= 1 <= interval[1]
    assert inside / 300 == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize("values", [((1.0, 1.0), (1.0, 1.0)), ((0.1 + 0.2, 0.3), (0.3, 0.3))])
def test_without_any_spread_there_is_no_g(values: tuple[Any, Any]) -> None:
    assert hedges_g(*values) == (None, None)


def test_groups_far_apart_have_a_g_and_no_absurd_interval() -> None:
    g, interval = hedges_g((1.0, 1.0001, 1.0), (90.0, 90.0, 90.001))
    assert g is not None
    assert g > 1000
    assert interval is None or interval[0] < interval[1]


def test_test_is_exact_for_few_animals() -> None:
    every = [*CONTROL, *TREATMENT]
    total, seen = sum(every), np.mean(TREATMENT) - np.mean(CONTROL)
    differences = [
        sum(part) / 4 - (total - sum(part)) / 5 for part in itertools.combinations(every, 4)
    ]
    above = np.mean([d >= seen - 1e-9 for d in differences])
    below = np.mean([d <= seen + 1e-9 for d in differences])
    assert permutation_p(CONTROL, TREATMENT, seed=0) == pytest.approx(2 * min(above, below))


def test_test_agrees_with_students_t_where_that_holds() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(0, 1, 30), rng.normal(0.5, 1, 30)
    p = permutation_p(one.tolist(), other.tolist(), seed=0)
    assert p == pytest.approx(stats.ttest_ind(one, other).pvalue, abs=0.015)
    assert p == permutation_p(one.tolist(), other.tolist(), seed=0)


def test_smallest_p_is_that_of_groups_that_do_not_overlap() -> None:
    assert smallest_p(3, 3) == pytest.approx(0.1)
    assert permutation_p((1, 2, 3), (11, 12, 13), seed=0) == pytest.approx(smallest_p(3, 3))
    assert smallest_p(20, 20) == pytest.approx(2 / 20_001)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_corrects_upwards_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert len(corrected) == len(p_values)
    assert all(p <= c <= min(1, len(p_values) * p) + 1e-12 for p, c in zip(p_values, corrected))
    for (p, c), (q, d) in itertools.product(zip(p_values, corrected), repeat=2):
        assert c <= d or p >= q


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_mean_interval_is_that_of_the_t_test() -> None:
    wanted = stats.ttest_1samp(CONTROL, 0).confidence_interval()
    assert mean_interval(CONTROL) == pytest.approx((wanted.low, wanted.high))
    assert mean_interval([1.0]) is None


def test_only_the_primary_measure_is_tested() -> None:
    control = [animal(bouts_per_hour=v, time_share=v / 100) for v in CONTROL]
    treatment = [animal(bouts_per_hour=v, time_share=v / 100) for v in TREATMENT]
    rows = compare(control, treatment, actions=ACTIONS)
    assert [(r.action, r.measure) for r in rows] == list(itertools.product(ACTIONS.names, MEASURES))
    tested = [row for row in rows if row.p is not None]
    assert [row.measure for row in tested] == ["bouts_per_hour"] * 2
    assert tested[0].p == pytest.approx(permutation_p(CONTROL, TREATMENT, seed=0))
    assert [row.p_holm for row in tested] == pytest.approx([2 * tested[0].p] * 2)
    other = compare(control, treatment, actions=ACTIONS, primary="time_share")
    assert {row.measure for row in other if row.p is not None} == {"time_share"}


def test_difference_has_the_interval_of_a_bootstrap() -> None:
    rows = compare(
        [animal(bouts_per_hour=v) for v in CONTROL],
        [animal(bouts_per_hour=v) for v in TREATMENT],
        actions=ACTIONS,
    )
    assert rows[0].difference == pytest.approx(np.mean(TREATMENT) - np.mean(CONTROL))
    rng = np.random.default_rng(7)
    drawn = [
        rng.choice(TREATMENT, len(TREATMENT)).mean() - rng.choice(CONTROL, len(CONTROL)).mean()
        for _ in range(5000)
    ]
    assert rows[0].difference_interval == pytest.approx(
        tuple(np.quantile(drawn, (0.025, 0.975))), abs=0.08
    )


def test_animals_without_a_value_are_left_out_of_that_measure() -> None:
    control = [animal(latency_seconds=v) for v in (1.0, 2.0, None)]
    treatment = [animal(latency_seconds=v) for v in (3.0, None, None)]
    rows = {row.measure: row for row in compare(control, treatment, actions=ACTIONS)}
    latency = rows["latency_seconds"]
    assert (latency.control, latency.treatment) == ((1.0, 2.0), (3.0,))
    assert (latency.difference, latency.g, latency.p) == (None, None, None)
    assert len(rows["bouts_per_hour"].treatment) == 3
    primary = compare(control, treatment, actions=ACTIONS, primary="latency_seconds")
    assert all(row.p is None for row in primary)


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(ValueError, match="two animals or more, got 1 control and 2 treated"):
        compare([animal()], [animal(), animal()], actions=ACTIONS)
    with pytest.raises(ValueError, match="allowed: bouts_per_hour, time_share"):
        compare([animal()] * 2, [animal()] * 2, actions=ACTIONS, primary="count")


@settings(max_examples=25)
@given(
    control=st.lists(st.floats(0, 50).map(lambda v: round(v, 2)), min_size=2, max_size=5),
    treatment=st.lists(st.floats(0, 50).map(lambda v: round(v, 2)), min_size=2, max_size=5),
)
def test_any_groups_can_be_compared(control: list[float], treatment: list[float]) -> None:
    rows = compare(
        [animal(bouts_per_hour=v) for v in control],
        [animal(bouts_per_hour=v) for v in treatment],
        actions=ACTIONS,
    )
    row = rows[0]
    assert row.difference_interval is not None
    assert row.difference is not None
    assert row.difference_interval[0] - 1e-9 <= row.difference <= row.difference_interval[1] + 1e-9
    assert row.p is not None
    assert smallest_p(len(control), len(treatment)) - 1e-12 <= row.p <= 1
