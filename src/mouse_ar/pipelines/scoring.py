"""A model's per-frame scores of one whole video: used by inference, evaluation and validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import ActionScores, ClipSpec, Track
from mouse_ar.mvd import MVD
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.job import ScoringJob, default_stride, score_without_mouse
from mouse_ar.pipelines.precision import pick_precision
from mouse_ar.video.probe import VideoMeta

__all__ = ["Progress", "default_stride", "score_video", "score_without_mouse"]

Progress = Callable[[int, int], None]


def score_video(
    model: MVD,
    *,
    path: Path,
    meta: VideoMeta,
    track: Track,
    spec: ClipSpec,
    actions: ActionSet,
    device: torch.device,
    stride_frames: int | None = None,
    batch_size: int = 16,
    precision: str | None = None,
    progress: Progress | None = None,
) -> ActionScores:
    """Slide over a video in one pass and score every frame of it.

    Where the mouse is known to be absent the frame is background: what a model says of an empty
    picture means nothing.

    Args:
        model: in eval mode on ``device``; returns logits (N, K).
        path: the video.
        meta: its probe.
        track: the mouse's boxes, one row per frame. One without any box says nothing about where
            the mouse is: the whole picture is scored.
        spec: ClipSpec at this video's frame rate.
        actions: its classes are those of the model, in its order.
        device: where the model runs.
        stride_frames: step between windows; a quarter of the window by default.
        batch_size: windows per forward pass.
        precision: see :func:`~mouse_ar.pipelines.precision.pick_precision`.
        progress: called with (frames done, frames in all).

    Raises:
        ValueError: the track does not belong to this video.
        VideoError: the video cannot be read.
    """
    tell = progress or (lambda done, total: None)
    job = ScoringJob(
        key=path.name,
        meta=meta,
        spec=spec,
        actions=actions,
        track=track,
        stride_frames=stride_frames,
    )
    engine = Engine(
        model,
        device=device,
        precision=pick_precision(precision, model=model, device=device),
        batch_size=batch_size,
    )
    ((_, outcome),) = engine.run([job], progress=lambda _, what, done, total: tell(done, total))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.scores
