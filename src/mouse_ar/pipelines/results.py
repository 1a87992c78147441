"""What inference leaves on disk per video, and the tables over all videos."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import slug
from mouse_ar.core.summary import ActionSummary, frame_edges_seconds, summarise
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.files import write_text

__all__ = ["VideoResult", "load_scores", "save_scores", "scores_path", "write_tables"]

BOUT_COLUMNS = (
    "video",
    "action",
    "start_frame",
    "end_frame",
    "start_seconds",
    "end_seconds",
    "duration_seconds",
    "confidence",
    "reviewed",
)


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


def write_tables(folder: Path, results: Iterable[VideoResult], *, actions: ActionSet) -> None:
    """Write ``bouts.csv`` (one row per bout) and ``summary.csv`` (one per video and action).

    Frame numbers are inclusive, as in the labeler; seconds count from the first frame. The column
    ``reviewed`` tells bouts that a person has checked from predictions.
    """
    results = list(results)
    bouts = [row for result in results for row in _bout_rows(result)]
    write_text(folder / "bouts.csv", _csv(BOUT_COLUMNS, bouts))
    summary = [
        {"video": result.key, **asdict(row), "reviewed": _yes_no(result.reviewed)}
        for result in results
        for row in summarise(result.ethogram, actions=actions, timestamps=result.timestamps_seconds)
    ]
    columns = ["video", *(field.name for field in fields(ActionSummary)), "reviewed"]
    write_text(folder / "summary.csv", _csv(columns, summary))


def _bout_rows(result: VideoResult) -> Iterable[dict[str, Any]]:
    edges = result.edges_seconds
    for bout in result.ethogram.bouts:
        first, last = bout.interval.inclusive
        start, end = edges[bout.interval.start], edges[bout.interval.stop]
        yield {
            "video": result.key,
            "action": bout.action,
            "start_frame": first,
            "end_frame": last,
            "start_seconds": f"{start:.3f}",
            "end_seconds": f"{end:.3f}",
            "duration_seconds": f"{end - start:.3f}",
            # From what annotations keep: a later run, which reads them, gives the same digits.
            "confidence": f"{round(bout.confidence, 4):.3f}",
            "reviewed": _yes_no(result.reviewed),
        }


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _csv(columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()})
    return buffer.getvalue()
