from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from mouse_ar.core.agreement import Agreement, TimingError, latency_agreement

values = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)


def agreement(pairs: list[tuple[float, float]]) -> Agreement:
    true, predicted = zip(*pairs, strict=True)
    return Agreement(tuple(f"v{i}" for i in range(len(pairs))), true, predicted)


def test_errors_of_a_worked_example() -> None:
    found = agreement([(10, 12), (20, 19), (30, 35)])  # errors 2, -1, 5
    assert found.mean_error == pytest.approx(2)
    assert found.mean_absolute_error == pytest.approx(8 / 3)
    assert found.total_error_share == pytest.approx(6 / 60)
    assert found.limits_of_agreement == pytest.approx((2 - 1.96 * 3, 2 + 1.96 * 3))


@given(values)
def test_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    found = agreement(list(pairs))
    true, predicted = zip(*pairs, strict=True)
    if len(pairs) < 3 or len(set(true)) == 1 or len(set(predicted)) == 1:
        assert found.correlation is None
    else:
        assert found.correlation == pytest.approx(pearsonr(true, predicted).statistic)
    json.dumps(found.to_dict(), allow_nan=False)


def test_what_does_not_exist_is_none() -> None:
    nothing = Agreement((), (), ())
    assert nothing.mean_error is nothing.mean_absolute_error is None
    assert nothing.total_error_share is agreement([(0, 3)]).total_error_share is None
    assert nothing.limits_of_agreement is nothing.correlation is None
    one = agreement([(3, 5)])
    assert one.mean_error == 2
    assert one.limits_of_agreement is None
    with pytest.raises(ValueError, match="one true and one predicted value per video"):
        Agreement(("a",), (1.0,), ())


def test_missing_latencies_are_counted_and_not_averaged() -> None:
    found = latency_agreement(
        {"a": (10.0, 12.0), "b": (5.0, None), "c": (None, 1.0), "d": (None, None), "e": (3.0, 2.0)}
    )
    assert found.both.videos == ("a", "e")
    assert found.both.mean_error == pytest.approx(0.5)
    assert (found.missed, found.invented, found.neither) == (1, 1, 1)
    assert found.to_dict()["missed"] == 1


def test_timing() -> None:
    found = TimingError.of(np.array([-0.2, 0.1, 0.4]))
    assert found.bouts == 3
    assert found.mean_seconds == pytest.approx(0.1)
    assert found.mean_absolute_seconds == pytest.approx(0.7 / 3)
    assert found.median_absolute_seconds == pytest.approx(0.2)
    assert TimingError.of([]) == TimingError()
    assert TimingError().to_dict()["mean_seconds"] is None
