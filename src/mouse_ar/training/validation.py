"""How good the current weights are, on whole videos or, with few videos, on held-out clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.calibration import fit_calibration
from mouse_ar.core.decoding import DecodingParams, decode
from mouse_ar.core.fitting import fit_decoding
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.platt import Calibration
from mouse_ar.core.types import ActionScores, ClipSpec
from mouse_ar.data.dataset import ClipDataset
from mouse_ar.data.pixels import normalise
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.mvd import MVD
from mouse_ar.pipelines.scoring import score_video
from mouse_ar.video.probe import probe

__all__ = [
    "Validation",
    "judge_videos",
    "merge_shares",
    "score_videos",
    "share_videos",
    "split_clips",
    "validate_clips",
]


@dataclass(frozen=True)
class Validation:
    """Result of one validation.

    Args:
        score: what chooses the checkpoint, larger is better.
        decoding: parameters to store with these weights.
        metrics: JSON-ready numbers for the event stream.
        report: how the decoding came about, for people.
        scores: per-frame scores by video key, where whole videos were judged.
        calibration: makes probabilities of the scores, to store with these weights.
    """

    score: float
    decoding: DecodingParams
    metrics: dict[str, Any]
    report: dict[str, Any]
    scores: Mapping[str, ActionScores] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)


def share_videos(records: Sequence[VideoRecord], *, parts: int) -> list[list[int]]:
    """Divide videos among processes so that all have about the same number of frames.

    Args:
        records: the videos.
        parts: number of processes.

    Returns:
        For each process the positions of its videos, ascending; the same on every process. Some
        are empty where there are fewer videos than processes.
    """
    shares: list[list[int]] = [[] for _ in range(parts)]
    frames = [0] * parts
    for index in sorted(range(len(records)), key=lambda i: (-records[i].num_frames, i)):
        least = frames.index(min(frames))
        shares[least].append(index)
        frames[least] += records[index].num_frames
    return [sorted(share) for share in shares]


def merge_shares(
    shares: Sequence[Sequence[int]], parts: Sequence[Sequence[ActionScores]]
) -> list[ActionScores]:
    """The scores of all processes in the order of the videos; inverse of :func:`share_videos`.

    Args:
        shares: positions of each process's videos.
        parts: each process's scores, in that order.

    Raises:
        ValueError: a process has not scored just its videos.
    """
    for number, (share, part) in enumerate(zip(shares, parts, strict=True)):
        if len(share) != len(part):
            raise ValueError(
                f"Process {number} was given {len(share)} videos and returned scores of "
                f"{len(part)}: merge what score_videos returns for the share, in its order."
            )
    by_index = {
        index: scores
        for share, part in zip(shares, parts, strict=True)
        for index, scores in zip(share, part, strict=True)
    }
    return [by_index[index] for index in range(len(by_index))]


def score_videos(
    model: MVD,
    records: Sequence[VideoRecord],
    *,
    spec: ClipSpec,
    training_fps: float,
    actions: ActionSet,
    device: torch.device,
) -> list[ActionScores]:
    """Per-frame scores of full-length videos, as inference makes them.

    Every video is decoded once, and only the frames of the windows at hand are in memory.

    Args:
        model: in eval mode on ``device``.
        records: the videos; those of one process where several share the work.
        spec: ClipSpec at ``training_fps``.
        training_fps: frame rate that the sampling rate refers to.
        actions: classes, in model order.
        device: where the model runs.

    Raises:
        VideoError: a video cannot be read.
    """
    found = []
    for record in records:
        meta = probe(record.path)
        found.append(
            score_video(
                model,
                path=record.path,
                meta=meta,
                track=record.track,
                spec=spec.for_fps(meta.fps, reference_fps=training_fps),
                actions=actions,
                device=device,
            )
        )
    return found


def judge_videos(
    scores: Sequence[ActionScores],
    records: Sequence[VideoRecord],
    *,
    spec: ClipSpec,
    training_fps: float,
    actions: ActionSet,
) -> Validation:
    """Fit the decoding to the scores of videos with known bouts, and score the bouts.

    The score is the bout F1 of each video with what was fitted to the others.

    Args:
        scores: of :func:`score_videos`, one per record.
        records: the videos with their labels.
        spec: ClipSpec at ``training_fps``.
        training_fps: frame rate that the sampling rate refers to.
        actions: classes.
    """
    known = [(score, record.ethogram) for score, record in zip(scores, records, strict=True)]
    ignored = [record.ignored for record in records]
    fitted = fit_decoding(
        known,
        actions=actions,
        ignored=ignored,
        defaults=DecodingParams.defaults(actions, spec=spec, fps=training_fps),
    )
    by_key = {record.key: score for record, score in zip(records, scores, strict=True)}
    evaluation = evaluate(
        {
            record.key: VideoPair(
                predicted=decode(by_key[record.key], actions=actions, params=fitted.params),
                truth=record.ethogram,
                ignored=record.ignored,
            )
            for record in records
        },
        actions=actions,
        scores=by_key,
    )
    return Validation(
        score=fitted.macro_bout_f1 or 0.0,
        decoding=fitted.params,
        metrics=evaluation.to_dict()["pooled"],
        report=fitted.to_dict(),
        scores=by_key,
        calibration=fit_calibration(known, actions=actions, ignored=ignored),
    )


@torch.inference_mode()
def validate_clips(
    model: MVD,
    *,
    dataset: ClipDataset,
    decoding: DecodingParams,
    device: torch.device,
    batch_size: int,
    judged_on: str,
) -> Validation:
    """Macro F1 of the windows of clips (named by ``judged_on``); decoding keeps its defaults."""
    truth: list[np.ndarray] = []
    predicted: list[np.ndarray] = []
    for batch in DataLoader(dataset, batch_size=batch_size):
        logits_NK = model(normalise(batch["frames"].to(device)))
        predicted.append(logits_NK.argmax(dim=1).cpu().numpy())
        truth.append(batch["target"].argmax(dim=1).numpy())
    score = float(
        f1_score(
            np.concatenate(truth), np.concatenate(predicted), average="macro", zero_division=0.0
        )
    )
    return Validation(
        score=score,
        decoding=decoding,
        metrics={"window_macro_f1": score},
        report={
            "note": f"No val videos: {judged_on} chose the checkpoint, and decoding keeps its "
            "documented defaults."
        },
    )


def split_clips(
    records: Sequence[VideoRecord], *, actions: Sequence[str], share: float = 0.2, seed: int = 0
) -> tuple[list[VideoRecord], list[VideoRecord]]:
    """Hold out the clips of some source videos with actions; training keeps every action it had.

    Returns:
        (training, held out); nothing is held out where no source can be spared.
    """
    sources = sorted({record.source for record in records if record.ethogram.bouts})
    rng = np.random.default_rng(seed)
    held: set[str] = set()
    for index in rng.permutation(len(sources)):
        if len(held) >= max(1, round(share * len(sources))):
            break
        rest = [r for r in records if r.source not in held | {sources[index]}]
        if all(
            any(r.ethogram.of(a) for r in rest) or not any(r.ethogram.of(a) for r in records)
            for a in actions
        ):
            held.add(sources[index])
    return (
        [r for r in records if r.source not in held],
        [r for r in records if r.source in held],
    )
