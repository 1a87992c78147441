"""What inference leaves on disk per video, and the tables over all videos."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import slug
from mouse_ar.core.summary import frame_edges_seconds, summarise, summarise_bins
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.files import write_text

__all__ = [
    "BIN_COLUMNS",
    "BOUT_COLUMNS",
    "SUMMARY_COLUMNS",
    "Column",
    "Row",
    "VideoResult",
    "bin_rows",
    "bout_rows",
    "csv_text",
    "load_scores",
    "save_scores",
    "scores_path",
    "summary_rows",
    "write_tables",
]


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, and what stands in it for those who read it.

    Args:
        name: of the column; ends in the unit, where there is one.
        meaning: in a sentence.
        digits: after the decimal point; 0 for whole numbers, None for words.
    """

    name: str
    meaning: str
    digits: int | None = None


_VIDEO = Column("video", "dataset and file name")
_ACTION = Column("action", "name of the action")
_REVIEWED = Column("reviewed", "yes where a person has checked the video's bouts")

BOUT_COLUMNS = (
    _VIDEO,
    _ACTION,
    Column("start_frame", "first frame of the bout, counted from 0", 0),
    Column("end_frame", "last frame of the bout, inclusive", 0),
    Column("start_seconds", "when the first frame begins, from the video's first frame on", 3),
    Column("end_seconds", "when the last frame ends", 3),
    Column("duration_seconds", "end_seconds less start_seconds", 3),
    Column(
        "confidence",
        "how sure the model is, 0 to 1: mean probability over a state event, the highest of a "
        "point event; 1 where a person added the bout",
        3,
    ),
    _REVIEWED,
)
SUMMARY_COLUMNS = (
    _VIDEO,
    _ACTION,
    Column("count", "number of bouts", 0),
    Column("total_seconds", "time with the action; bouts that overlap count once", 3),
    Column("mean_seconds", "mean length of a bout; empty without bouts", 3),
    Column("median_seconds", "median length of a bout; empty without bouts", 3),
    Column("latency_seconds", "start of the first bout; empty without bouts", 3),
    Column("time_budget", "share of the video with the action, 0 to 1", 3),
    Column(
        "mean_inter_bout_seconds",
        "mean time from the end of a bout to the start of the next; empty below two bouts",
        3,
    ),
    Column("bouts_per_hour", "count per hour of video", 3),
    _REVIEWED,
)
BIN_COLUMNS = (
    _VIDEO,
    _ACTION,
    Column("start_seconds", "start of the time bin, from the video's first frame on", 3),
    Column("end_seconds", "its end; the last bin of a video may be shorter than the others", 3),
    Column("start_frame", "first frame that begins in the bin", 0),
    Column("end_frame", "last frame that begins in the bin, inclusive", 0),
    Column("count", "bouts that start in the bin", 0),
    Column("seconds", "time with the action in the bin; a bout over its edge is cut there", 3),
    Column("time_budget", "share of the bin's real length with the action, 0 to 1", 3),
    _REVIEWED,
)

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class VideoResult:
    """The bouts of one video.

    Args:
        key: ``dataset/name``.
        ethogram: the bouts, predicted or as a reviewer left them.
        timestamps_seconds: float64 (T,), presentation times of the frames.
        reviewed: whether a person has checked them.
    """

    key: str
    ethogram: Ethogram
    timestamps_seconds: NDArray[np.float64]
    reviewed: bool = False

    @property
    def edges_seconds(self) -> NDArray[np.float64]:
        """When each frame begins and the last one ends, from the first frame on: (T + 1,)."""
        return frame_edges_seconds(
            self.ethogram.num_frames, fps=self.ethogram.fps, timestamps=self.timestamps_seconds
        )


def scores_path(folder: Path, key: str) -> Path:
    """Where the results in a folder hold the scores of a video."""
    return folder / "scores" / f"{slug(key)}.npz"


def save_scores(
    path: Path,
    scores: ActionScores,
    *,
    timestamps_seconds: NDArray[np.float64],
    header: dict[str, Any],
) -> None:
    """Keep per-frame scores, so that bouts can be decoded again without the model.

    Args:
        path: ``.npz`` file, written atomically.
        scores: stored as float16 (T, K): 0.001 resolution, half the size.
        timestamps_seconds: of the frames.
        header: plain values that identify what the scores were made from.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        scores_TK=scores.scores_TK.astype(np.float16),
        classes=np.array(scores.classes),
        fps=np.float64(scores.fps),
        timestamps_seconds=timestamps_seconds,
        header=np.array(json.dumps(header, sort_keys=True)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(path)


def load_scores(path: Path) -> tuple[ActionScores, NDArray[np.float64], dict[str, Any]]:
    """Inverse of :func:`save_scores`: scores, timestamps and header.

    Raises:
        ValueError: not such a file; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            scores = ActionScores(
                scores_TK=data["scores_TK"].astype(np.float32),
                classes=tuple(str(name) for name in data["classes"]),
                fps=float(data["fps"]),
            )
            return scores, data["timestamps_seconds"], json.loads(str(data["header"]))
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} holds no per-frame scores ({error}).") from error


def write_tables(
    folder: Path,
    results: Iterable[VideoResult],
    *,
    actions: ActionSet,
    bin_minutes: float | None = None,
) -> None:
    """Write ``bouts.csv``, ``summary.csv`` and, where asked for, ``bins.csv``.

    Frame numbers are inclusive, as in the labeler; seconds count from the first frame. The column
    ``reviewed`` tells bouts that a person has checked from predictions.

    Args:
        folder: of the results.
        results: the videos.
        actions: what to report.
        bin_minutes: length of the time bins; without it an earlier ``bins.csv``, which would no
            longer agree with the other tables, is removed.

    Raises:
        ValueError: ``bin_minutes`` is no length of a bin.
    """
    results = list(results)
    tables = {
        "bouts.csv": (BOUT_COLUMNS, bout_rows(results)),
        "summary.csv": (SUMMARY_COLUMNS, summary_rows(results, actions=actions)),
    }
    if bin_minutes is None:
        (folder / "bins.csv").unlink(missing_ok=True)
    else:
        bins = bin_rows(results, actions=actions, bin_minutes=bin_minutes)
        tables["bins.csv"] = (BIN_COLUMNS, bins)
    for name, (columns, rows) in tables.items():
        write_text(folder / name, csv_text(columns, rows))


def bout_rows(results: Iterable[VideoResult]) -> list[Row]:
    """One row per bout, by the names of :data:`BOUT_COLUMNS`; numbers are not rounded."""
    rows = []
    for result in results:
        edges = result.edges_seconds
        for bout in result.ethogram.bouts:
            first, last = bout.interval.inclusive
            start, end = float(edges[bout.interval.start]), float(edges[bout.interval.stop])
            rows.append(
                {
                    "video": result.key,
                    "action": bout.action,
                    "start_frame": first,
                    "end_frame": last,
                    "start_seconds": start,
                    "end_seconds": end,
                    "duration_seconds": end - start,
                    # As annotations keep it: a later run, which reads them, gives the same.
                    "confidence": round(bout.confidence, 4),
                    "reviewed": _yes_no(result.reviewed),
                }
            )
    return rows


def summary_rows(results: Iterable[VideoResult], *, actions: ActionSet) -> list[Row]:
    """One row per video and action, by the names of :data:`SUMMARY_COLUMNS`."""
    return [
        {"video": result.key, **asdict(row), "reviewed": _yes_no(result.reviewed)}
        for result in results
        for row in summarise(result.ethogram, actions=actions, timestamps=result.timestamps_seconds)
    ]


def bin_rows(
    results: Iterable[VideoResult], *, actions: ActionSet, bin_minutes: float
) -> list[Row]:
    """One row per video, action and time bin, by the names of :data:`BIN_COLUMNS`."""
    return [
        {"video": result.key, **asdict(row), "reviewed": _yes_no(result.reviewed)}
        for result in results
        for row in summarise_bins(
            result.ethogram,
            actions=actions,
            bin_seconds=bin_minutes * 60,
            timestamps=result.timestamps_seconds,
        )
    ]


def csv_text(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """A table as CSV; what does not exist stays empty."""
    buffer = io.StringIO()
    digits = {column.name: column.digits for column in columns}
    writer = csv.DictWriter(buffer, fieldnames=list(digits), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {k: f"{v:.{digits[k]}f}" if isinstance(v, float) else v for k, v in row.items()}
        )
    return buffer.getvalue()


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
