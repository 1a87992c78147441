"""Bouts made anew from scores that were kept: seconds, without the model or the videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import ActionScores
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.files import read_json
from mouse_ar.pipelines.bout_decoding import RUN_NAME, Decoding
from mouse_ar.pipelines.results import VideoResult, load_scores, scores_path, write_tables
from mouse_ar.pipelines.results_folder import ResultsFolder, open_results
from mouse_ar.pipelines.store import Store
from mouse_ar.video.failures import VIDEO_FAILURES

__all__ = [
    "DecodedAgain",
    "decode_results",
    "decode_scores",
    "score_files",
]

Progress = Callable[[str, int, int], None]


@dataclass
class DecodedAgain:
    """What came of it.

    Args:
        results: the videos, also those that were left as they are.
        before: bouts by action as they were, of the videos that were decoded.
        after: the same now.
        decoded: keys of the videos that were decoded.
        reviewed: keys of videos that a person has checked; they were not touched.
        failures: cause by key.
    """

    results: list[VideoResult] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    decoded: list[str] = field(default_factory=list)
    reviewed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def decode_results(
    folder: Path,
    *,
    decoding: Decoding,
    keys: Collection[str] | None = None,
    bin_minutes: float | None = None,
    publish: Callable[[VideoResult], VideoAnnotation | None] | None = None,
    progress: Progress | None = None,
) -> DecodedAgain:
    """Decode a folder of ``infer`` again, in place: annotations, tables, and ``run.json``.

    Videos with the tag ``reviewed`` keep what a person made of them. Each annotation is replaced
    atomically, and the tables after all of them, so a call that was cut off is simply repeated.

    Args:
        folder: holds ``project`` and ``scores``.
        decoding: how to decode.
        keys: videos to decode; the others stay as they are. All by default.
        bin_minutes: see :func:`~mouse_ar.pipelines.results.write_tables`.
        publish: as in :func:`~mouse_ar.pipelines.infer.infer`.
        progress: called with (what, done, total).

    Raises:
        FileNotFoundError: it is no such folder.
        BusyError: another run writes to it.
    """
    tell = progress or (lambda what, done, total: None)
    open_results(folder, actions=decoding.actions)  # a mistyped name shall not get a lock
    with Store(folder).lock():
        results = open_results(folder, actions=decoding.actions)
        again = DecodedAgain(failures=dict(results.failures))
        for number, video in enumerate(results.videos, start=1):
            chosen = keys is None or video.key in keys
            again.results.append(
                _again(results, video, decoding, again, publish=publish) if chosen else video
            )
            tell("decoding", number, len(results.videos))
        write_tables(folder, again.results, actions=decoding.actions, bin_minutes=bin_minutes)
        run = folder / RUN_NAME
        decoding.write(folder, **(read_json(run) if run.is_file() else {}))
    return again


def _again(
    results: ResultsFolder,
    video: VideoResult,
    decoding: Decoding,
    again: DecodedAgain,
    *,
    publish: Callable[[VideoResult], VideoAnnotation | None] | None,
) -> VideoResult:
    """Decode one video; gives what it holds now."""
    if video.reviewed:
        again.reviewed.append(video.key)
        return video
    dataset, name = video.key.rsplit("/", 1)
    annotation = results.project.read(results.video(video.key))
    try:
        ethogram = decoding.bouts(_own_scores(results, video.key, annotation, decoding))
        results.project.write(dataset, name, replace(annotation, bouts=ethogram.bouts))
        result = replace(video, ethogram=ethogram)
        found = publish(result) if publish is not None else None
    except VIDEO_FAILURES as error:
        again.failures[video.key] = str(error)
        # The tables hold what was published.
        results.project.write(dataset, name, annotation)
        return video
    if found is not None:
        again.reviewed.append(video.key)
        results.project.write(dataset, name, found)
        return replace(video, ethogram=replace(ethogram, bouts=found.bouts), reviewed=True)
    again.decoded.append(video.key)
    again.before.update(bout.action for bout in annotation.bouts)
    again.after.update(bout.action for bout in ethogram.bouts)
    return result


def _own_scores(
    results: ResultsFolder, key: str, annotation: VideoAnnotation, decoding: Decoding
) -> ActionScores:
    """The scores that a video's bouts were made of.

    Raises:
        ValueError: there are none, or they are of another video or model.
    """
    path = scores_path(results.path, key)
    scores, _, header = _checked_scores(path, decoding)
    if header.get("source_sha256") != annotation.provenance.get("source_sha256"):
        raise ValueError(f"{path} belongs to another video of that name.")
    return scores


def _checked_scores(
    path: Path, decoding: Decoding
) -> tuple[ActionScores, NDArray[np.float64], dict[str, Any]]:
    """A file of scores, with time stamps and header; refused where another model made them."""
    scores, timestamps_seconds, header = load_scores(path)
    model = header.get("checkpoint_sha256")
    if decoding.checkpoint_sha256 not in {None, model}:
        raise ValueError(
            f"{path}: another model (SHA-256 {model}) has scored this video. Run the model that "
            "you want on it again."
        )
    return scores, timestamps_seconds, header


def decode_scores(
    files: Iterable[Path], output: Path, *, decoding: Decoding, bin_minutes: float | None = None
) -> DecodedAgain:
    """Decode files of scores into tables elsewhere; what they belong to stays as it is.

    Args:
        files: ``.npz`` files of scores.
        output: folder of the tables.
        decoding: how to decode.
        bin_minutes: see :func:`~mouse_ar.pipelines.results.write_tables`.
    """
    again = DecodedAgain()
    for path in files:
        try:
            scores, timestamps_seconds, header = _checked_scores(path, decoding)
            ethogram = decoding.bouts(scores)
        except ValueError as error:
            again.failures[path.name] = str(error)
            continue
        again.after.update(bout.action for bout in ethogram.bouts)
        key = str(header.get("video", path.stem))
        again.results.append(VideoResult(key, ethogram, timestamps_seconds))
    output.mkdir(parents=True, exist_ok=True)
    write_tables(output, again.results, actions=decoding.actions, bin_minutes=bin_minutes)
    return again


def score_files(place: Path) -> Iterator[Path]:
    """Files of scores at a path: itself, those in it, or those in its folder ``scores``.

    Raises:
        FileNotFoundError: there are none.
    """
    if place.is_file():
        yield place
        return
    found = sorted(place.glob("*.npz")) or sorted((place / "scores").glob("*.npz"))
    if not found:
        raise FileNotFoundError(
            f"{place} holds no scores: expected a folder that `mouse-ar infer` or `evaluate` "
            "wrote, its folder scores/, or one .npz file of it."
        )
    yield from found
