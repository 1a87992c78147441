"""Batches: one order for all ranks, whatever the workers; errors and early ends."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from mouse_ar.data.training_data import open_training_data
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.loading import load_batches, training_batches
from tiny import ACTIONS

CONFIG = replace(tiny.TRAIN, samples_per_epoch=22, batch_size=4, jitter=0.2)


@pytest.fixture(scope="module")
def clips(data: Path) -> TrainingClips:
    opened = open_training_data(data, actions=ACTIONS)
    return TrainingClips(opened, config=CONFIG, actions=ACTIONS)


class Slow:
    """A dataset whose items take a while and which notes who loaded them."""

    def __init__(self, *, broken: int = -1, seconds: float = 0.0) -> None:
        self.broken, self.seconds = broken, seconds
        self.loaded: list[int] = []
        self.threads: set[str] = set()

    def __getitem__(self, item: int) -> dict[str, Any]:
        time.sleep(self.seconds)
        if item == self.broken:
            raise OSError(f"item {item} cannot be read")
        self.loaded.append(item)
        self.threads.add(threading.current_thread().name)
        return {"frames": torch.full((2, 3), item), "sample": item}


def groups(number: int, size: int = 4) -> list[range]:
    return [range(at, min(at + size, number)) for at in range(0, number, size)]


def equal(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
        for a, b in zip(first, second, strict=True)
    )


def test_workers_change_nothing(clips: TrainingClips) -> None:
    plain = list(training_batches(clips, epoch=1, config=CONFIG))
    assert [len(b["sample"]) for b in plain] == [4] * 5 + [2]
    assert torch.equal(torch.cat([b["sample"] for b in plain]), torch.arange(22))
    for workers in (1, 3, 9):
        config = replace(CONFIG, num_workers=workers)
        assert equal(list(training_batches(clips, epoch=1, config=config)), plain)
    assert not equal(list(training_batches(clips, epoch=2, config=CONFIG)), plain)


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_order_of_one_process(clips: TrainingClips, world_size: int) -> None:
    wide = replace(CONFIG, batch_size=CONFIG.batch_size * world_size)
    alone = list(training_batches(clips, epoch=1, config=wide))
    ranks = [
        list(training_batches(clips, epoch=1, config=CONFIG, rank=r, world_size=world_size))
        for r in range(world_size)
    ]
    for step, batch in enumerate(alone):
        parts = [rank[step] for rank in ranks if step < len(rank)]
        for name, value in batch.items():
            assert torch.equal(torch.cat([part[name] for part in parts]), value)


def test_resumed_epoch_goes_on_with_the_same_batches(clips: TrainingClips) -> None:
    plain = list(training_batches(clips, epoch=1, config=CONFIG))
    assert equal(list(training_batches(clips, epoch=1, config=CONFIG, skip=2)), plain[2:])
    two = [
        list(training_batches(clips, epoch=1, config=CONFIG, rank=1, world_size=2, skip=skip))
        for skip in (0, 1)
    ]
    assert equal(two[1], two[0][1:])


@settings(max_examples=20, deadline=None)
@given(number=st.integers(0, 30), size=st.integers(1, 7), workers=st.integers(0, 9))
def test_every_group_comes_once_and_in_order(number: int, size: int, workers: int) -> None:
    batches = load_batches(Slow(), groups(number, size), num_workers=workers)  # type: ignore[arg-type]
    assert [b["sample"].tolist() for b in batches] == [list(g) for g in groups(number, size)]


def test_unreadable_clip_is_told_after_what_came_before() -> None:
    for workers in (0, 2):
        batches = load_batches(Slow(broken=6), groups(16), num_workers=workers)  # type: ignore[arg-type]
        assert next(batches)["sample"].tolist() == [0, 1, 2, 3]
        with pytest.raises(OSError, match="item 6 cannot be read"):
            list(batches)


def test_loading_runs_ahead_but_not_away() -> None:
    dataset = Slow()
    batches = load_batches(dataset, groups(400), num_workers=2)  # type: ignore[arg-type]
    _ = next(batches)
    deadline = time.monotonic() + 10
    while len(dataset.loaded) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert 12 <= len(dataset.loaded) <= 20
    batches.close()  # type: ignore[attr-defined]


def test_stopping_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    dataset = Slow(seconds=0.02)
    batches = load_batches(dataset, groups(400), num_workers=3)  # type: ignore[arg-type]
    _ = next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(dataset.loaded) < 20
    assert all(name.startswith("load") for name in dataset.threads)
