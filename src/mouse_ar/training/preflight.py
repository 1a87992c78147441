"""What would make a training fail or mislead, found before its first step."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.text import markdown_table
from mouse_ar.data.data_summary import DataSummary, summarise_data
from mouse_ar.data.files import write_json
from mouse_ar.data.training_data import TrainingData, VideoRecord
from mouse_ar.training.config import TrainConfig
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import open_video

__all__ = ["CHECKED", "PreflightReport", "check_training_data", "ensure_trainable"]

# File of a run that remembers which videos could be read.
CHECKED = "checked_videos.json"
_MOST_LINES = 30
_MOST_THREADS = 8
# How often the progress of a check is told.
_TOLD = 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PreflightReport:
    """What was found before a training.

    Args:
        summary: counts per class dataset and per source video.
        errors: why there can be no training, one sentence each with what to do.
        warnings: what to expect of it.
        unreadable: cause by key of the clips and videos that cannot be used.
    """

    summary: DataSummary
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    unreadable: Mapping[str, str]

    def text(self, *, actions: ActionSet) -> str:
        """The counts per class and per source video, as two tables."""
        names = actions.names
        classes = [
            [name, str(files), str(sources), f"{seconds:.1f}", *_cells(bouts, names)]
            for name, files, sources, seconds, bouts in self.summary.rows
        ]
        videos = [
            [row.source, row.use, str(row.files), str(row.frames), *_cells(row.bouts, names)]
            for row in self.summary.sources
        ]
        bouts = [f"bouts of {name}" for name in names]
        lines = [
            markdown_table(("dataset", "files", "source videos", "seconds", *bouts), classes),
            "",
            markdown_table(
                ("source video", "use", "files", "frames", *bouts), videos[:_MOST_LINES]
            ),
        ]
        if len(videos) > _MOST_LINES:
            lines.append(f"… and {len(videos) - _MOST_LINES} more source videos")
        return "\n".join(lines)

    def check(self, *, actions: ActionSet) -> None:
        """Refuse data that cannot be trained on.

        Raises:
            ValueError: with every reason, and the counts per class and per source video.
        """
        if self.errors:
            # The reasons come last and in one line: whoever shows the last line shows them.
            raise ValueError(
                f"Nothing was trained. The training data:\n\n{self.text(actions=actions)}\n\n"
                f"They cannot be trained on: {' '.join(self.errors)}"
            )


def ensure_trainable(
    data: TrainingData,
    *,
    config: TrainConfig,
    actions: ActionSet,
    output: Path,
    emit: Callable[[dict[str, Any]], None],
    world_size: int = 1,
) -> None:
    """Check the data of a run before its first step; call it in one process of the run.

    Emits ``checking`` events with ``done`` and ``total`` while videos are tried, and, where there
    is something to warn of, ``data`` with the counts as ``text`` and a ``warning`` for each.

    Args:
        data: of the run.
        config: settings.
        actions: classes.
        output: folder of the run; remembers the videos that could be read.
        emit: receives the events.
        world_size: processes of the run.

    Raises:
        ValueError: the data cannot be trained on; see :meth:`PreflightReport.check`.
    """

    def tell(done: int, total: int) -> None:
        if done * _TOLD // total > (done - 1) * _TOLD // total:
            emit({"event": "checking", "done": done, "total": total})

    report = check_training_data(
        data,
        config=config,
        actions=actions,
        world_size=world_size,
        checked=output / CHECKED,
        progress=tell,
    )
    report.check(actions=actions)
    if report.warnings:
        emit({"event": "data", "text": report.text(actions=actions)})
    for text in report.warnings:
        emit({"event": "warning", "text": text})


def check_training_data(
    data: TrainingData,
    *,
    config: TrainConfig,
    actions: ActionSet,
    world_size: int = 1,
    checked: Path | None = None,
    progress: Progress | None = None,
) -> PreflightReport:
    """Count the data, open every video of them, and hold both against the settings.

    Args:
        data: clips and videos.
        config: settings of the training.
        actions: classes.
        world_size: processes that each take ``batch_size`` windows per step.
        checked: file that remembers which videos could be read; they are tried again only when
            their size or time of change differs.
        progress: called with (videos tried, videos to try).
    """
    summary = summarise_data(data, actions=actions)
    records = [*data.clips, *data.val, *data.test]
    unreadable = _unreadable(records, checked=checked, progress=progress)
    tests = {record.key for record in data.test}
    # A test video is not needed to train, but nobody shall learn of it only after the last epoch.
    needed = {key: cause for key, cause in unreadable.items() if key not in tests}
    errors = [*summary.errors, *_too_few(data, config, world_size)]
    if needed:
        errors.append(
            f"{len(needed)} of the {len(records) - len(tests)} clips and val videos cannot be "
            f"read; preprocess their source videos again: {_listed(needed)}"
        )
    warnings = [*summary.warnings, *_unfit_windows(data, config, actions)]
    if spoiled := {key: cause for key, cause in unreadable.items() if key in tests}:
        warnings.append(f"{len(spoiled)} test videos cannot be read: {_listed(spoiled)}")
    return PreflightReport(summary, tuple(errors), tuple(warnings), unreadable)


def _cells(bouts: Mapping[str, int], names: Iterable[str]) -> list[str]:
    return [str(bouts.get(name, 0)) for name in names]


def _listed(causes: Mapping[str, str]) -> str:
    shown = "; ".join(f"{key} ({cause})" for key, cause in list(causes.items())[:_MOST_LINES])
    more = len(causes) - _MOST_LINES
    return f"{shown}; … and {more} more" if more > 0 else shown


def _too_few(data: TrainingData, config: TrainConfig, world_size: int) -> Iterator[str]:
    batch = config.batch_size * world_size
    if len(data.clips) < batch:
        each = f" ({config.batch_size} on each of {world_size} devices)" if world_size > 1 else ""
        fitting = len(data.clips) // world_size
        advice = f"set batch_size to {fitting} at most, or label" if fitting else "label"
        yield (
            f"There are {len(data.clips)} training clips, fewer than the {batch} windows of a "
            f"batch{each}: {advice} more bouts."
        )


def _unfit_windows(data: TrainingData, config: TrainConfig, actions: ActionSet) -> Iterator[str]:
    """Settings of the window that these clips do not suit."""
    if not data.clips:
        return
    fps = float(median(record.fps for record in data.clips))
    spec = config.clip_spec()
    short = [
        record
        for record in data.clips
        if record.num_frames < spec.for_fps(record.fps, reference_fps=fps).window_frames
    ]
    if short:
        yield (
            f"{len(short)} of {len(data.clips)} clips are shorter than the window of "
            f"{spec.window_frames} frames (num_frames x sampling_rate) and are mirrored at their "
            "ends. Lower num_frames or sampling_rate, or preprocess with longer clips."
        )
    if config.sampling_rate == 1:
        return
    for action in actions.actions:
        lengths = [b.interval.length for r in data.clips for b in r.ethogram.of(action.name)]
        if action.kind is ActionKind.POINT and lengths:
            usual = median(lengths)
            if usual < 2 * config.sampling_rate:
                yield (
                    f"Half of the bouts of {action.name} last {usual:g} frames or fewer, of which "
                    f"a window sees every {config.sampling_rate}. only: brief events are seen "
                    "best with sampling_rate=1 and num_frames=32."
                )


def _unreadable(
    records: list[VideoRecord], *, checked: Path | None, progress: Progress | None
) -> dict[str, str]:
    """Cause by key of the videos that cannot be read as their annotations say."""
    known = _known(checked)
    stamps = {record.key: _stamp(record) for record in records}
    good = {key: stamp for key, stamp in stamps.items() if stamp and known.get(key) == stamp}
    to_try = [record for record in records if record.key not in good]
    causes: dict[str, str] = {}
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        tried = {pool.submit(_problem, record): record.key for record in to_try}
        for done, future in enumerate(as_completed(tried), start=1):
            key, cause = tried[future], future.result()
            if cause is not None:
                causes[key] = cause
            else:
                good[key] = stamps[key]
            if progress is not None:
                progress(done, len(to_try))
    if checked is not None:
        # What is known of other videos stays: a part of the data may have been looked at.
        kept = {key: stamp for key, stamp in (known | good).items() if key not in causes}
        write_json(checked, dict(sorted(kept.items())))
    return {key: causes[key] for key in sorted(causes)}


def _known(checked: Path | None) -> dict[str, Any]:
    """What an earlier check left; nothing where it cannot be read, as it only saves time."""
    try:
        found = json.loads(checked.read_text(encoding="utf-8")) if checked else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(record: VideoRecord) -> list[int]:
    """Changes when the file or the length that is expected of it does; empty without a file."""
    try:
        facts = record.path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns, record.num_frames]


def _problem(record: VideoRecord) -> str | None:
    """Why a video cannot be used, tried on its first and last frame."""
    try:
        meta = probe(record.path)
        # Windows of clips only need their frames; whole videos are scored against all labels.
        whole = record.dataset in {"val", "test"}
        if meta.num_frames < record.num_frames or (whole and meta.num_frames > record.num_frames):
            return f"it has {meta.num_frames} frames, but its annotation is of {record.num_frames}"
        with open_video(record.path, meta=meta) as reader:
            reader.get_batch([0, meta.num_frames - 1])
    except VIDEO_FAILURES as error:
        return " ".join(str(error).removeprefix(f"{record.path}: ").split())
    return None
