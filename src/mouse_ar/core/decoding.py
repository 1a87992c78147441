"""Per-frame scores -> bouts, each action for itself and by its kind.

State events: moving mean, hysteresis thresholds, stitching of short gaps, minimum bout. Point
events: peaks with prominence and a minimum distance. Every action is decoded one against the
rest, so bouts of different actions may overlap in time.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal, special

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.decoding_params import (
    ActionDecoding,
    DecodingParams,
    PointDecoding,
    StateDecoding,
)
from mouse_ar.core.platt import Calibration
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

__all__ = [
    "ActionDecoding",
    "DecodingParams",
    "PointDecoding",
    "StateDecoding",
    "decode",
    "decode_spans",
    "noise_floor",
    "point_spans",
    "smooth",
    "state_spans",
]

FloatArray = NDArray[np.floating]
SpanArray = NDArray[np.int64]
"""Half-open frame ranges (N, 2), sorted, columns start and stop."""

_TIE = 1e-12
# Where an action fills a good part of a video its scores are spread out without being noise: a
# bout that a model is this sure of counts there too.
_SURE = 0.9
_LEVELS = np.array([0.10, 0.25, 0.50, 0.75, 0.90])
_NORMAL_GAPS = np.diff(special.ndtri(_LEVELS))  # gaps of these quantiles in a unit normal


def smooth(score_T: FloatArray, *, seconds: float, fps: float) -> NDArray[np.float64]:
    """Centred moving mean over an odd number of frames, mirrored at the edges: float64 (T,)."""
    score = np.asarray(score_T, dtype=np.float64)
    frames = 2 * int(seconds * fps / 2) + 1
    if frames == 1 or score.size == 0:
        return score
    return np.asarray(ndimage.uniform_filter1d(score, size=frames, mode="reflect"))


def noise_floor(
    score_T: FloatArray, *, sigmas: float, unsmoothed_T: FloatArray | None = None
) -> float:
    """The level below which this video's scores of an action cannot be told from noise.

    ``min(median, 0.5) + sigmas * s`` with s the *smallest* of the spreads between the 10, 25, 50,
    75 and 90 % quantiles, each in units of a normal distribution's. Where a model is sure of
    itself, some part of the distribution is a spike (at 0 outside events, at 1 inside), s is
    almost 0 and the floor does nothing, however many events there are; where the scores are
    noise, every part is spread out and the floor rises above their peaks.

    Args:
        score_T: scores of one action over the video, 0..1.
        sigmas: how far above the typical score the floor lies; 0 gives 0.
        unsmoothed_T: the same before smoothing, where ``score_T`` is smoothed. Around many short
            bouts smoothing makes ramps of the spikes; noise it makes smaller. So the smaller of
            the two spreads counts.
    """
    if sigmas == 0 or score_T.size == 0:
        return 0.0
    quantiles = np.quantile(score_T, _LEVELS)
    spread = _spread(quantiles)
    if unsmoothed_T is not None:
        spread = min(spread, _spread(np.quantile(unsmoothed_T, _LEVELS)))
    return min(float(quantiles[2]), 0.5) + sigmas * spread


def _spread(quantiles: FloatArray) -> float:
    return float(np.min(np.diff(quantiles) / _NORMAL_GAPS))


def _runs(mask_T: NDArray[np.bool_]) -> SpanArray:
    edges = np.flatnonzero(np.diff(mask_T.astype(np.int8), prepend=0, append=0))
    spans: SpanArray = edges.reshape(-1, 2).astype(np.int64)
    return spans


def state_spans(
    smoothed_T: FloatArray, *, params: StateDecoding, fps: float, floor: float = 0.0
) -> SpanArray:
    """Bouts of a state event: int64 (N, 2), half-open, sorted, disjoint.

    Args:
        smoothed_T: scores of the action after :func:`smooth`.
        params: thresholds; ``smooth_seconds`` and ``noise_sigmas`` are not looked at here.
        fps: frames per second.
        floor: the smoothed score that a bout must exceed besides ``on_threshold``; at most 0.9.
    """
    spans = _runs(smoothed_T >= params.off_threshold)
    if not len(spans):
        return spans
    on = max(params.on_threshold, min(floor, _SURE))
    # reduceat runs each segment up to the next span; what lies between is below off_threshold
    spans = spans[np.maximum.reduceat(smoothed_T, spans[:, 0]) >= on]
    if not len(spans):
        return spans
    split = spans[1:, 0] - spans[:-1, 1] > params.max_gap_seconds * fps
    first = np.concatenate([[True], split])
    last = np.concatenate([split, [True]])
    joined: SpanArray = np.stack([spans[first, 0], spans[last, 1]], axis=1)
    long_enough = joined[:, 1] - joined[:, 0] >= params.min_bout_seconds * fps
    result: SpanArray = joined[long_enough]
    return result


def _extents(
    padded_T: NDArray[np.float64], peaks: SpanArray, *, share: float
) -> tuple[SpanArray, SpanArray]:
    """First and stop frame of where each peak keeps a share of its height, up to the valleys."""
    valleys = [a + int(np.argmin(padded_T[a:b])) for a, b in itertools.pairwise(peaks.tolist())]
    left = np.array([0, *valleys], dtype=np.intp)
    right = np.array([*(v - 1 for v in valleys), len(padded_T) - 1], dtype=np.intp)
    heights = padded_T[peaks]  # in place of prominences: the share is of the full height
    _, _, first, last = signal.peak_widths(
        padded_T, peaks, rel_height=1 - share, prominence_data=(heights, left, right)
    )
    return np.ceil(first).astype(np.int64), np.floor(last).astype(np.int64) + 1


def point_spans(
    score_T: FloatArray, *, params: PointDecoding, fps: float, floor: float = 0.0
) -> SpanArray:
    """Point events: int64 (N, 2), half-open, sorted, disjoint.

    The extent is where the score exceeds half the peak, bounded by the valleys between peaks, and
    shrunk about its middle to the expected number of event frames: the sum of the scores down to a
    tenth of the peak. (Windows spread a 3-frame twitch over half a window and keep the sum of the
    scores; the width at half height alone would call it half a window long.)

    Args:
        score_T: scores of the action, unsmoothed.
        params: thresholds; ``noise_sigmas`` is not looked at here.
        fps: frames per second.
        floor: the score that a peak must exceed besides ``threshold``.
    """
    padded_T = np.pad(np.asarray(score_T, dtype=np.float64), 1)  # edge frames can be peaks
    # of equally high peaks (saturated scores) one must count as the higher, or every ripple would
    # be as prominent as its whole hump
    peaks, _ = signal.find_peaks(
        padded_T + _TIE * np.arange(len(padded_T)),
        height=max(params.threshold, floor),
        prominence=params.prominence,
        distance=max(1.0, params.min_distance_seconds * fps),
    )
    if not len(peaks):
        return np.zeros((0, 2), dtype=np.int64)
    start, stop = _extents(padded_T, peaks, share=0.5)
    foot_start, foot_stop = _extents(padded_T, peaks, share=0.1)
    sums = np.concatenate([[0.0], np.cumsum(padded_T)])
    expected = np.rint(sums[foot_stop] - sums[foot_start]).astype(np.int64)
    length = np.minimum(stop - start, np.maximum(1, expected))
    begin = start + (stop - start - length) // 2 - 1  # -1: without the padding
    return np.stack([begin, begin + length], axis=1)


def decode_spans(score_T: FloatArray, *, params: ActionDecoding, fps: float) -> SpanArray:
    """Bouts of one action from its scores: int64 (N, 2), half-open, sorted, disjoint."""
    if isinstance(params, PointDecoding):
        floor = noise_floor(score_T, sigmas=params.noise_sigmas)
        return point_spans(score_T, params=params, fps=fps, floor=floor)
    smoothed_T = smooth(score_T, seconds=params.smooth_seconds, fps=fps)
    floor = noise_floor(smoothed_T, sigmas=params.noise_sigmas, unsmoothed_T=score_T)
    return state_spans(smoothed_T, params=params, fps=fps, floor=floor)


def decode(
    scores: ActionScores,
    *,
    actions: ActionSet,
    params: DecodingParams,
    calibration: Calibration | None = None,
) -> Ethogram:
    """Bouts of every action of a video.

    A bout's confidence is the mean probability over a state event and the highest of a point
    event.

    Args:
        scores: per-frame scores; their classes must contain every action.
        actions: what to decode, and of which kind each action is.
        params: decoding of each action.
        calibration: makes probabilities of the scores, for the confidence only; without it the
            scores are taken for probabilities.

    Raises:
        ValueError: when an action has no score column or its parameters are of the other kind.
        KeyError: when an action has no parameters.
    """
    calibration = calibration or Calibration()
    bouts = []
    for action in actions.actions:
        if action.name not in scores.classes:
            raise ValueError(
                f"Scores have no class {action.name!r}, only {', '.join(scores.classes)}: decode "
                "with the action set the model was trained on."
            )
        decoding = params[action.name]
        is_state = isinstance(decoding, StateDecoding)
        if is_state != (action.kind is ActionKind.STATE):
            raise ValueError(
                f"{action.name!r} is a {action.kind.value} event but its decoding parameters are "
                f"{type(decoding).__name__}."
            )
        score_T = scores.of(action.name)
        probability_T = calibration.of(action.name)(score_T)
        for start, stop in decode_spans(score_T, params=decoding, fps=scores.fps).tolist():
            inside = probability_T[start:stop]
            confidence = float(np.clip(inside.mean() if is_state else inside.max(), 0.0, 1.0))
            bouts.append(Bout(Interval(start, stop), action.name, confidence))
    return Ethogram(num_frames=scores.num_frames, fps=scores.fps, bouts=tuple(bouts))
