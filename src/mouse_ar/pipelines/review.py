"""The queue of bouts that a person should look at, over all videos of a folder of results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.review import ReviewItem, review_items, seconds_to_look_at, with_context
from mouse_ar.core.types import Ethogram, Interval
from mouse_ar.data.annotations import REVIEW_TAG, ProjectTag, VideoAnnotation
from mouse_ar.data.files import write_text
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.matching import VideoMatcher
from mouse_ar.pipelines.results import Column, Row, VideoResult, csv_text
from mouse_ar.pipelines.results_folder import ResultsFolder
from mouse_ar.pipelines.store import Store

__all__ = ["QUEUE_COLUMNS", "QueueEntry", "ReviewQueue", "review_queue", "tag_queue", "write_queue"]

CONTEXT_SECONDS = 1.0

QUEUE_COLUMNS = (
    Column("rank", "1 is most worth a look", 0),
    Column("video", "dataset and file name"),
    Column("action", "what to look for"),
    Column("start_frame", "first frame in question, counted from 0", 0),
    Column("end_frame", "last frame in question, inclusive", 0),
    Column("start_seconds", "when the first frame begins, from the video's first frame on", 3),
    Column("end_seconds", "when the last frame ends", 3),
    Column("look_from_seconds", "a second before, to see it in its context", 3),
    Column("look_to_seconds", "a second after", 3),
    Column("priority", "0 to 1, by which the list is ordered; not a probability", 3),
    Column("reason", "why it is worth a look"),
)


@dataclass(frozen=True)
class QueueEntry:
    """A part of a video to look at, and the video's result."""

    result: VideoResult
    item: ReviewItem

    @property
    def look(self) -> Interval:
        """The frames to look at, those around the part included."""
        return with_context(
            self.item.interval,
            num_frames=self.result.ethogram.num_frames,
            fps=self.result.ethogram.fps,
            seconds=CONTEXT_SECONDS,
        )


@dataclass(frozen=True)
class ReviewQueue:
    """What to look at, in this order.

    Args:
        entries: the parts, best first.
        in_all: how many there would be without a limit.
        seconds: video to look at; what several entries share counts once.
        notes: what the user should know, such as videos without labels.
    """

    entries: tuple[QueueEntry, ...]
    in_all: int
    seconds: float
    notes: tuple[str, ...] = ()


def review_queue(
    results: ResultsFolder,
    *,
    decoding: DecodingParams | None = None,
    labels: LocalProject | None = None,
    top: int | None = None,
) -> ReviewQueue:
    """Rank what is worth a look; videos that a person has checked are left out.

    Args:
        results: the predictions with their scores.
        decoding: what bouts are decoded with; that of the results by default.
        labels: a project with labels of the same videos, where there is one; those without any
            tag in it count as videos in which nothing happens.
        top: how many entries at most.

    Raises:
        ValueError: nobody knows how the results were decoded, or a video fits several in
            ``labels``.
    """
    if decoding is None and results.decoding is not None:
        decoding = results.decoding.params
    if decoding is None:
        raise ValueError(
            f"{results.path} does not say how its bouts were decoded: run `mouse-ar infer` again, "
            "which is quick where the scores are there, or give the model with --checkpoint."
        )
    without = [name for name in results.actions.names if name not in decoding.by_action]
    if without:
        raise ValueError(
            f"There is no decoding of {', '.join(without)}, only of "
            f"{', '.join(decoding.by_action)}: give the actions of the model with --actions."
        )
    notes = [f"{key}: {cause}" for key, cause in sorted(results.failures.items())]
    found = []
    for result in results.videos:
        if not result.reviewed:
            found += list(_entries(results, result, decoding, labels, notes))
    found.sort(key=lambda e: (-e.item.priority, e.result.key, e.item.interval, e.item.action))
    entries = tuple(found[:top])
    looks: dict[str, list[Interval]] = defaultdict(list)
    for entry in entries:
        looks[entry.result.key].append(entry.look)
    seconds = sum(
        seconds_to_look_at(parts, edges_seconds=results.results[key].edges_seconds)
        for key, parts in looks.items()
    )
    return ReviewQueue(entries, len(found), seconds, tuple(notes))


def _entries(
    results: ResultsFolder,
    result: VideoResult,
    decoding: DecodingParams,
    labels: LocalProject | None,
    notes: list[str],
) -> Iterator[QueueEntry]:
    try:
        scores = results.scores(result.key)
    except ValueError as error:
        notes.append(f"{result.key}: is left out: {error}")
        return
    annotation = None if labels is None else _labels(labels, result, notes)
    items = review_items(
        scores,
        actions=results.actions,
        params=decoding,
        labels=None if annotation is None else _truth(annotation, result),
        ignored=() if annotation is None else annotation.ignored,
    )
    for item in items:
        yield QueueEntry(result, item)


def _truth(annotation: VideoAnnotation, result: VideoResult) -> Ethogram:
    return annotation.ethogram(result.ethogram.fps)


def _labels(labels: LocalProject, result: VideoResult, notes: list[str]) -> VideoAnnotation | None:
    """What a person has labelled in the same video, where that is known."""
    match = VideoMatcher(labels.videos()).find(result.key)
    if match.ambiguous:
        raise ValueError(
            f"{result.key} fits {', '.join(match.candidates)} in {labels.path}: the labels must "
            "have the datasets of the results."
        )
    if match.video is None:
        notes.append(f"{result.key}: has no labels in {labels.path}")
        return None
    annotation = labels.read(match.video)
    frames = result.ethogram.num_frames
    if annotation.num_frames != frames:
        notes.append(
            f"{result.key}: the labels of {match.video.key} are not used: they are of "
            f"{annotation.num_frames} frames, the video has {frames}"
        )
        return None
    return annotation


def write_queue(path: Path, queue: ReviewQueue) -> None:
    """Write the queue as CSV, by :data:`QUEUE_COLUMNS`."""
    rows = [_row(rank, entry) for rank, entry in enumerate(queue.entries, start=1)]
    write_text(path, csv_text(QUEUE_COLUMNS, rows))


def _row(rank: int, entry: QueueEntry) -> Row:
    edges, item = entry.result.edges_seconds, entry.item
    first, last = item.interval.inclusive
    return {
        "rank": rank,
        "video": entry.result.key,
        "action": item.action,
        "start_frame": first,
        "end_frame": last,
        "start_seconds": float(edges[item.interval.start]),
        "end_seconds": float(edges[item.interval.stop]),
        "look_from_seconds": float(edges[entry.look.start]),
        "look_to_seconds": float(edges[entry.look.stop]),
        "priority": item.priority,
        "reason": item.reason,
    }


def tag_queue(results: ResultsFolder, queue: ReviewQueue) -> int:
    """Put the queue into the project of predictions, in place of an earlier one.

    Each entry becomes a tag ``review`` on its frames whose value says what to look for and why.
    Everything else in the annotations stays as it is.

    Args:
        results: whose project is tagged.
        queue: of these results.

    Returns:
        How many tags there are now.

    Raises:
        BusyError: another run writes to the results.
    """
    tags: dict[str, list[ProjectTag]] = defaultdict(list)
    for entry in queue.entries:
        text = f"{entry.item.action}: {entry.item.reason}"
        tags[entry.result.key].append(ProjectTag(REVIEW_TAG, entry.item.interval, text))
    with Store(results.path).lock():
        for key in results.results:
            own = sorted(tags[key], key=lambda tag: (tag.interval, tag.value))
            results.project.add_tags(results.video(key), own, replacing=REVIEW_TAG)
    return len(queue.entries)
