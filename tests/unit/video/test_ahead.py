"""A stage in a thread: order, bounds, errors, and an end whenever the consumer wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mouse_ar.video.ahead import Ahead, NotYet


def test_gives_the_items_in_order_and_no_more_than_its_size_ahead() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    with Ahead(numbers(), size=3, name="numbers") as items:
        assert next(items) == 0
        time.sleep(0.2)
        assert len(made) <= 5  # one taken, three waiting, one in hand
        assert list(items) == list(range(1, 20))
        with pytest.raises(StopIteration):
            next(items)


def test_an_error_comes_where_its_item_would() -> None:
    def breaks() -> Iterator[int]:
        yield 1
        raise OSError("disk gone")

    inner = Ahead(breaks(), size=2, name="inner")
    with Ahead((2 * item for item in inner), size=2, name="outer") as items:
        assert next(items) == 2
        with pytest.raises(OSError, match="disk gone"):
            next(items)


def test_closing_ends_every_stage_behind_it() -> None:
    closed = threading.Event()
    threads = threading.active_count()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    def second() -> Iterator[int]:
        with Ahead(endless(), size=1, name="first") as items:
            yield from items

    with Ahead(second(), size=1, name="second") as items:
        assert next(items) == 1
    assert closed.wait(2)
    assert threading.active_count() == threads


def test_a_stage_that_waits_for_nothing_can_be_closed() -> None:
    go_on = threading.Event()

    def waits() -> Iterator[int]:
        go_on.wait(20)
        yield 1

    inner = Ahead(waits(), size=1, name="inner")
    outer = Ahead((item for item in inner), size=1, name="outer")
    with pytest.raises(NotYet):
        outer.get(timeout_seconds=0.05)
    began = time.monotonic()
    outer.close()
    assert time.monotonic() - began < 5
    go_on.set()
    inner.close()


def test_work_is_counted_without_the_wait_for_earlier_stages() -> None:
    first: list[float] = []
    second: list[float] = []

    def slow() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.1)
            yield number

    with (
        Ahead(slow(), size=1, name="slow", on_busy=first.append) as inner,
        Ahead((n for n in inner), size=1, name="fast", on_busy=second.append) as outer,
    ):
        assert list(outer) == [0, 1, 2]
    assert sum(first) >= 0.3
    assert sum(second) < 0.15
