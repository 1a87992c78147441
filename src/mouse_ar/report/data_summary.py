"""What a Training Data project offers to training, and what it lacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.training_data import TrainingData, VideoRecord

__all__ = ["DataSummary", "summarise_data"]

# Fewer clips than this of an action hardly show how it varies.
_FEW_CLIPS = 20


@dataclass(frozen=True)
class DataSummary:
    """Counts for a table, and warnings for the user.

    Args:
        rows: per dataset: its name, videos in it, source videos behind them, seconds, and bouts
            per action.
        warnings: one sentence each, with what to do.
    """

    rows: tuple[tuple[str, int, int, float, dict[str, int]], ...]
    warnings: tuple[str, ...]


def summarise_data(data: TrainingData, *, actions: ActionSet) -> DataSummary:
    """Look at Training Data before anybody waits for a training on it."""
    datasets: dict[str, list[VideoRecord]] = {name: [] for name in actions.datasets}
    for record in data.clips:
        datasets[record.dataset].append(record)
    datasets |= {"val": list(data.val), "test": list(data.test)}
    rows = tuple(
        (
            name,
            len(records),
            len({record.source for record in records}),
            sum(record.num_frames / record.fps for record in records),
            dict(Counter(b.action for record in records for b in record.ethogram.bouts)),
        )
        for name, records in datasets.items()
    )
    return DataSummary(rows=rows, warnings=tuple(_warnings(datasets, data, actions=actions)))


def _warnings(
    datasets: dict[str, list[VideoRecord]], data: TrainingData, *, actions: ActionSet
) -> list[str]:
    found = []
    for action in actions.actions:
        clips = len(datasets[action.dataset])
        if not clips:
            found.append(
                f"There is no clip of {action.name}: the model cannot learn it. Label some bouts "
                "and run Preprocess again."
            )
        elif clips < _FEW_CLIPS:
            found.append(
                f"There are only {clips} clips of {action.name}: expect it to miss what they do "
                "not show. More labelled bouts from more videos help most."
            )
    if not datasets[actions.background]:
        found.append("There is no idle clip: the model will see actions everywhere.")
    if not data.val:
        found.append(
            "There is no val video: held-out clips choose the checkpoint, and the decoding "
            "thresholds keep their defaults. With six or more videos Preprocess sets one aside."
        )
    if not data.test:
        found.append(
            "There is no test video: nothing will tell how good the model is on new videos."
        )
    return found
