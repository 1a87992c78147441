"""Thinned curves and values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mouse_ar.report.page.plots import css, numbers, thinned
from tiny import ACTIONS


@given(
    arrays(np.float32, st.integers(1, 400), elements=st.floats(0, 1, width=32)),
    st.integers(4, 60),
)
def test_a_thinned_curve_keeps_its_ends_and_extremes(values_T: np.ndarray, most: int) -> None:
    kept = thinned(values_T, most=most)
    assert len(kept) <= max(most, 0)
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == len(values_T) - 1
    assert values_T[kept].max() == values_T.max()
    assert values_T[kept].min() == values_T.min()


def test_a_peak_of_one_frame_in_an_hour_stays() -> None:
    score_T = np.zeros(108_000, dtype=np.float32)
    score_T[77_777] = 0.4
    assert 77_777 in thinned(score_T, most=400)


def test_what_does_not_exist_is_a_gap() -> None:
    assert numbers([0.12345, None, float("nan")], digits=2) == [0.12, None, None]


def test_colours() -> None:
    action = ACTIONS.actions[0]
    assert css(action) == f"rgb({', '.join(map(str, action.color))})"
    assert css(action, shade=0) == "rgb(0, 0, 0)"
