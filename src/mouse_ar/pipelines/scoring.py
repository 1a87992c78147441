"""A model's per-frame scores of one whole video: used by inference, evaluation and validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.types import ActionScores, ClipSpec, Track
from mouse_ar.core.windows import plan_windows
from mouse_ar.data.pixels import normalise
from mouse_ar.data.stream import iter_windows
from mouse_ar.mvd import MVD
from mouse_ar.video.probe import VideoMeta

__all__ = ["Progress", "default_stride", "score_video", "score_without_mouse"]

Progress = Callable[[int, int], None]
Item = TypeVar("Item")


def default_stride(spec: ClipSpec) -> int:
    """The largest odd step up to a quarter of the window.

    Every frame lies in the central half of two windows; an odd step lets an event meet the
    model's tubelets (an even number of frames) in every phase.
    """
    return max(1, (spec.window_frames // 4 - 1) | 1)


@torch.inference_mode()
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
        device: where the model runs; on CUDA it runs under bfloat16 autocast.
        stride_frames: step between windows; a quarter of the window by default.
        batch_size: windows per forward pass.
        progress: called with (frames done, frames in all).

    Raises:
        ValueError: the track does not belong to this video.
    """
    if track.num_frames != meta.num_frames:
        raise ValueError(
            f"{path}: the track has {track.num_frames} frames, the video {meta.num_frames}. "
            "Detect again: the video has changed."
        )
    windows = plan_windows(
        meta.num_frames, spec=spec, stride_frames=stride_frames or default_stride(spec)
    )
    scores = ScoreAccumulator(num_frames=meta.num_frames, classes=actions.classes, fps=meta.fps)
    stream = iter_windows(path, windows=windows, track=track, spec=spec, meta=meta)
    for batch in _batched(stream, batch_size):
        frames_NTHWC = torch.from_numpy(np.stack([frames for _, frames in batch])).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            logits_NK = model(normalise(frames_NTHWC))
        probabilities_NK = logits_NK.float().softmax(dim=1).cpu().numpy()
        scores.add([window for window, _ in batch], probabilities_NK)
        if progress is not None:
            progress(min(meta.num_frames, batch[-1][0].interval.stop), meta.num_frames)
    if not track.present_T.any():
        return scores.result()
    return _as_background(scores.result(), ~track.present_T, actions=actions)


def score_without_mouse(meta: VideoMeta, *, actions: ActionSet) -> ActionScores:
    """Scores of a video in which no mouse was found: background in every frame."""
    nothing_TK = np.zeros((meta.num_frames, len(actions.classes)), dtype=np.float32)
    scores = ActionScores(scores_TK=nothing_TK, classes=actions.classes, fps=meta.fps)
    return _as_background(scores, np.ones(meta.num_frames, dtype=bool), actions=actions)


def _as_background(
    scores: ActionScores, absent_T: NDArray[np.bool_], *, actions: ActionSet
) -> ActionScores:
    background_K = np.array([name == actions.background for name in scores.classes])
    return replace(scores, scores_TK=np.where(absent_T[:, None], background_K, scores.scores_TK))


def _batched(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
