"""What a Training Data project offers to training, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.data.training_data import TrainingData, VideoRecord

__all__ = ["DataSummary", "SourceCounts", "summarise_data"]

# Fewer bouts than this of an action hardly show how it varies.
_FEW_BOUTS = 30


@dataclass(frozen=True)
class SourceCounts:
    """What one source video (or group of videos) brings.

    Args:
        source: its name.
        use: ``train``, ``val`` or ``test``.
        files: clips, or full-length videos.
        frames: in them.
        seconds: in them.
        bouts: by action, those that occur only.
    """

    source: str
    use: str
    files: int
    frames: int
    seconds: float
    bouts: dict[str, int]


@dataclass(frozen=True)
class DataSummary:
    """Counts for a table, and warnings for the user.

    Bouts are counted as they lie in the clips: a long one that was divided counts in every clip.

    Args:
        rows: per dataset: its name, videos in it, source videos behind them, seconds, and bouts
            per action.
        sources: the same per source video.
        errors: why these data cannot be trained on, one sentence each with what to do.
        warnings: what to expect of a training on them, likewise.
    """

    rows: tuple[tuple[str, int, int, float, dict[str, int]], ...]
    sources: tuple[SourceCounts, ...]
    errors: tuple[str, ...]
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
            _bouts(records),
        )
        for name, records in datasets.items()
    )
    parts = {"train": data.clips, "val": data.val, "test": data.test}
    return DataSummary(
        rows=rows,
        sources=tuple(row for use, part in parts.items() for row in _by_source(part, use=use)),
        errors=tuple(_missing(data, actions=actions)),
        warnings=tuple(_warnings(datasets, data, actions=actions)),
    )


def _bouts(records: Iterable[VideoRecord]) -> dict[str, int]:
    return dict(Counter(bout.action for record in records for bout in record.ethogram.bouts))


def _by_source(records: Sequence[VideoRecord], *, use: str) -> Iterator[SourceCounts]:
    found: dict[str, list[VideoRecord]] = {}
    for record in records:
        found.setdefault(record.source, []).append(record)
    for source in sorted(found):
        own = found[source]
        yield SourceCounts(
            source=source,
            use=use,
            files=len(own),
            frames=sum(record.num_frames for record in own),
            seconds=sum(record.num_frames / record.fps for record in own),
            bouts=_bouts(own),
        )


def _missing(data: TrainingData, *, actions: ActionSet) -> Iterator[str]:
    """Classes that no window can show."""
    if not any(record.ethogram.of(name) for name in actions.names for record in data.clips):
        yield (
            f"There is no clip of {' or '.join(actions.names)}: there is nothing to learn. Label "
            "some bouts and run Preprocess again."
        )
    if not any(_has_idle_frames(record) for record in data.clips):
        yield (
            "No clip shows a frame without an action: the model would see actions everywhere. "
            "Run Preprocess with idle_ratio above 0."
        )


def _has_idle_frames(record: VideoRecord) -> bool:
    return sum(bout.interval.length for bout in record.ethogram.bouts) < record.num_frames


def _warnings(
    datasets: dict[str, list[VideoRecord]], data: TrainingData, *, actions: ActionSet
) -> list[str]:
    found: list[str] = []
    for action in actions.actions:
        found += _action_warnings(action, data)
    if not datasets[actions.background]:
        found.append(
            "There is no idle clip: what is idle is learned only from around the actions, and the "
            "model may see actions where other things go on."
        )
    if not data.val:
        found.append(
            "There is no val video: held-out clips choose the checkpoint, and the decoding "
            "thresholds keep their defaults. With six or more videos Preprocess sets one aside."
        )
    if not data.test:
        found.append(
            "There is no test video: nothing will tell how good the model is on new videos."
        )
    if data.clips and all(r.source == r.key and not any(r.made_from) for r in data.clips):
        found.append(
            "The clips do not say which videos they are from: what is held out to judge the model "
            "may come from videos that it has seen. Make the clips anew with Preprocess."
        )
    return found


def _action_warnings(action: Action, data: TrainingData) -> Iterator[str]:
    name = action.name
    clips = [record for record in data.clips if record.ethogram.of(name)]
    bouts = sum(len(record.ethogram.of(name)) for record in clips)
    sources = {record.source for record in clips}
    if not bouts:
        yield (
            f"There is no clip of {name}: the model cannot learn it and will never find it. Label "
            "some bouts and run Preprocess again, or give actions without it."
        )
    elif bouts < _FEW_BOUTS:
        yield (
            f"There are only {bouts} bouts of {name} in the clips: expect it to miss what they do "
            "not show. More labelled bouts from more videos help most."
        )
    if len(sources) == 1:
        yield (
            f"All clips of {name} are from one source video, {next(iter(sources))}: how well it "
            "is found in other videos cannot be told. Label more videos."
        )
    if data.val and not any(record.ethogram.of(name) for record in data.val):
        yield (
            f"No val video shows {name}: it does not count when the checkpoint is chosen, and "
            "its decoding keeps its defaults. Label it in another video and preprocess again."
        )
    if data.test and not any(record.ethogram.of(name) for record in data.test):
        yield f"No test video shows {name}: nothing will tell how well it is found in new videos."
