"""Batches of an epoch, on the rank that needs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch.utils.data import Dataset, default_collate

from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig

__all__ = ["load_batches", "training_batches"]

# Batches that wait ready beside the one in use.
_AHEAD = 2


def training_batches(
    clips: TrainingClips,
    *,
    epoch: int,
    config: TrainConfig,
    rank: int = 0,
    world_size: int = 1,
    skip: int = 0,
    pin_memory: bool = False,
) -> Iterator[dict[str, Any]]:
    """The micro-batches of one rank in one epoch, from the one order all ranks agree on.

    A global micro-batch ``m`` is the windows ``[m * B * W, (m + 1) * B * W)`` of the epoch's
    order (B ``batch_size``, W ``world_size``); rank r has its r-th part of B windows.

    Args:
        clips: the run's clips.
        epoch: number of the epoch.
        config: settings of the run.
        rank: of this process.
        world_size: processes of the run.
        skip: micro-batches that were trained before an interruption.
        pin_memory: whether batches go to a GPU.

    Yields:
        ``frames`` uint8 (B, T, H, W, 3), ``target`` float32 (B, K), ``sample`` int64 (B,): the
        windows' numbers in the epoch, which decide what is drawn for them.
    """
    dataset = clips.epoch(epoch)
    wide = config.batch_size * world_size
    groups = [
        range(start, min(start + wide, len(dataset)))[
            rank * config.batch_size : (rank + 1) * config.batch_size
        ]
        for start in range(skip * wide, len(dataset), wide)
    ]
    yield from load_batches(
        dataset,
        [group for group in groups if len(group)],
        num_workers=config.num_workers,
        pin_memory=pin_memory,
    )


def load_batches(
    dataset: Dataset[dict[str, Any]],
    groups: Sequence[Sequence[int]],
    *,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[dict[str, Any]]:
    """Batches in the given order, loaded ahead by threads.

    Threads rather than processes: nearly all the time goes into decoding, colour conversion and
    scaling, which run outside of Python's lock; so decoded clips are shared by all, stay for the
    next epoch, and need no shared memory, of which a container has little. A run that is killed
    leaves no process behind.

    Args:
        dataset: the windows.
        groups: numbers of the windows of each batch.
        num_workers: threads; 0 loads when a batch is asked for.
        pin_memory: whether batches go to a GPU.

    Yields:
        The items of a group, stacked.

    Raises:
        VideoError: a clip cannot be read; the batches before it have been delivered.
    """
    if not num_workers:
        for group in groups:
            yield _stacked([dataset[item] for item in group], pin_memory=pin_memory)
        return
    with ThreadPoolExecutor(num_workers, "load") as pool, ThreadPoolExecutor(1, "stack") as stacker:
        # Stacking copies whole batches: a thread of its own does it while the model is at work.
        ready: deque[Future[dict[str, Any]]] = deque()
        try:
            for group in groups:
                items = [pool.submit(dataset.__getitem__, item) for item in group]
                ready.append(stacker.submit(_collect, items, pin_memory=pin_memory))
                # More workers than a batch has windows need more batches to be busy.
                if len(ready) * len(group) > _AHEAD * max(len(group), num_workers):
                    yield ready.popleft().result()
            while ready:
                yield ready.popleft().result()
        finally:
            # Whoever stops early wants no more work done on what was ahead.
            pool.shutdown(wait=False, cancel_futures=True)


def _stacked(items: list[dict[str, Any]], *, pin_memory: bool) -> dict[str, Any]:
    batch: dict[str, Any] = default_collate(items)
    if pin_memory:
        batch = {name: value.pin_memory() for name, value in batch.items()}
    return batch


def _collect(items: list[Future[dict[str, Any]]], *, pin_memory: bool) -> dict[str, Any]:
    return _stacked([item.result() for item in items], pin_memory=pin_memory)
