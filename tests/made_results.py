"""Folders of results as inference leaves them, made without videos and without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.decoding import decode
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.types import ActionScores, Bout
from mouse_ar.data.annotations import REVIEWED_TAG, ProjectTag, VideoAnnotation
from mouse_ar.data.files import write_json
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.results import save_scores, scores_path
from tiny import ACTIONS

FPS = 10.0
DECODING = DecodingParams.defaults(ACTIONS, fps=FPS)


def scores(**curves_T: NDArray[np.float64]) -> ActionScores:
    """Scores of the actions by the first letters of their names; the rest is background."""
    columns = []
    for name in ACTIONS.names:
        found = [curve for key, curve in curves_T.items() if name.casefold().startswith(key)]
        columns.append(found[0] if found else np.zeros(len(next(iter(curves_T.values())))))
    background = np.clip(1 - np.sum(columns, axis=0), 0, 1)
    scores_TK = np.stack([background, *columns], axis=1).astype(np.float32)
    return ActionScores(scores_TK, ACTIONS.classes, FPS)


def add_result(
    root: Path,
    key: str,
    found: ActionScores,
    *,
    bouts: Sequence[Bout] | None = None,
    reviewed: bool = False,
    timestamps_seconds: NDArray[np.float64] | None = None,
) -> None:
    """Have one video in a folder of results; its bouts are decoded where they are not given."""
    project = LocalProject.create(
        root / "project", actions=ACTIONS, confidence=True, with_files=False
    )
    if bouts is None:
        bouts = decode(found, actions=ACTIONS, params=DECODING).bouts
    annotation = VideoAnnotation(
        num_frames=found.num_frames,
        height=64,
        width=64,
        bouts=tuple(bouts),
        video_tags=(ProjectTag(REVIEWED_TAG),) if reviewed else (),
    )
    dataset, name = key.rsplit("/", 1)
    provenance = {"kind": "prediction", "source_sha256": f"sha of {key}"}
    project.write(dataset, name, annotation, provenance=provenance)
    times = np.arange(found.num_frames) / FPS if timestamps_seconds is None else timestamps_seconds
    save_scores(
        scores_path(root, key),
        found,
        timestamps_seconds=times,
        header={"video": key, "source_sha256": f"sha of {key}"},
    )
    said = {"actions": ACTIONS.to_dict(), "decoding": DECODING.to_dict()}
    write_json(root / "run.json", said)


def make_results(
    root: Path, videos: Mapping[str, Sequence[Bout]], *, num_frames: int = 6000
) -> Path:
    """A folder of results whose videos have these bouts and no scores to speak of."""
    for key, bouts in videos.items():
        empty = scores(self=np.zeros(num_frames))
        add_result(root, key, empty, bouts=bouts)
    return root
