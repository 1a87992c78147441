"""How good the current weights are, on whole videos or, with few videos, on held-out clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding import DecodingParams, decode
from mouse_ar.core.fitting import fit_decoding
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import ActionScores, ClipSpec
from mouse_ar.data.dataset import ClipDataset
from mouse_ar.data.pixels import normalise
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.mvd import MVD
from mouse_ar.pipelines.scoring import score_video
from mouse_ar.video.probe import probe

__all__ = ["Validation", "split_clips", "validate_clips", "validate_videos"]


@dataclass(frozen=True)
class Validation:
    """Result of one validation.

    Args:
        score: what chooses the checkpoint, larger is better.
        decoding: parameters to store with these weights.
        metrics: JSON-ready numbers for the event stream.
        report: how the decoding came about, for people.
    """

    score: float
    decoding: DecodingParams
    metrics: dict[str, Any]
    report: dict[str, Any]


def validate_videos(
    model: MVD,
    *,
    records: Sequence[VideoRecord],
    spec: ClipSpec,
    training_fps: float,
    actions: ActionSet,
    device: torch.device,
) -> Validation:
    """Run the inference path over full-length videos, fit the decoding, score the bouts."""
    scores = [
        _score(model, record, spec=spec, fps=training_fps, actions=actions, device=device)
        for record in records
    ]
    fitted = fit_decoding(
        [(score, record.ethogram) for score, record in zip(scores, records, strict=True)],
        actions=actions,
        ignored=[record.ignored for record in records],
        defaults=DecodingParams.defaults(actions, spec=spec, fps=training_fps),
    )
    evaluation = evaluate(
        {
            record.key: VideoPair(
                predicted=decode(score, actions=actions, params=fitted.params),
                truth=record.ethogram,
                ignored=record.ignored,
            )
            for record, score in zip(records, scores, strict=True)
        },
        actions=actions,
    )
    return Validation(
        score=evaluation.macro_bout_f1 or 0.0,
        decoding=fitted.params,
        metrics=evaluation.to_dict()["pooled"],
        report=fitted.to_dict(),
    )


def _score(
    model: MVD,
    record: VideoRecord,
    *,
    spec: ClipSpec,
    fps: float,
    actions: ActionSet,
    device: torch.device,
) -> ActionScores:
    meta = probe(record.path)
    return score_video(
        model,
        path=record.path,
        meta=meta,
        track=record.track,
        spec=spec.for_fps(meta.fps, reference_fps=fps),
        actions=actions,
        device=device,
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
