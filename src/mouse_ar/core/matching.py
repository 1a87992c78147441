"""One-to-one matching of predicted and true bouts of one action.

State events match at a temporal intersection over union of at least 0.5, the convention of
temporal action localisation. Point events match when their centres lie within 0.25 s: on events
of a few frames an IoU would measure the annotators' jitter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from mouse_ar.core.actions import ActionKind
from mouse_ar.core.types import Interval

__all__ = ["MatchRule", "candidate_pairs", "match_spans", "spans_of"]

SpanArray = NDArray[np.int64]
_EPS = 1e-9  # a distance of exactly the tolerance counts as within it


@dataclass(frozen=True)
class MatchRule:
    """When a predicted bout counts as a true one.

    Args:
        state_iou: least temporal IoU for state events.
        point_tolerance_seconds: largest distance between centres for point events.
    """

    state_iou: float = 0.5
    point_tolerance_seconds: float = 0.25

    def __post_init__(self) -> None:
        if not 0.0 < self.state_iou <= 1.0:
            raise ValueError(
                f"MatchRule.state_iou must be above 0 and at most 1, got {self.state_iou}."
            )
        if self.point_tolerance_seconds < 0:
            raise ValueError(
                "MatchRule.point_tolerance_seconds must be 0 or more, "
                f"got {self.point_tolerance_seconds}."
            )


def spans_of(intervals: Sequence[Interval]) -> SpanArray:
    """Intervals as int64 (N, 2), columns start and stop."""
    return np.array([(i.start, i.stop) for i in intervals], dtype=np.int64).reshape(-1, 2)


def _near_pairs(predicted: SpanArray, truth: SpanArray, *, reach_frames: float) -> SpanArray:
    """All (predicted, truth) index pairs that come within ``reach_frames`` of each other."""
    order = np.argsort(predicted[:, 0], kind="stable")
    starts, latest_stops = predicted[order, 0], np.maximum.accumulate(predicted[order, 1])
    low = np.searchsorted(latest_stops, truth[:, 0] - reach_frames, side="left")
    high = np.searchsorted(starts, truth[:, 1] + reach_frames, side="right")
    counts = np.maximum(high - low, 0)
    of_truth = np.repeat(np.arange(len(truth)), counts)
    offset = np.arange(len(of_truth)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([order[low[of_truth] + offset], of_truth], axis=1)


def _quality(
    predicted: SpanArray, truth: SpanArray, *, kind: ActionKind, fps: float, rule: MatchRule
) -> NDArray[np.float64]:
    """Quality 0..1 of each row's pair, -1 where it must not match."""
    if kind is ActionKind.POINT:
        seconds = np.abs(predicted.sum(axis=1) - truth.sum(axis=1)) / 2 / fps
        tolerance = rule.point_tolerance_seconds
        return np.where(seconds <= tolerance + _EPS, 1 - seconds / (tolerance + _EPS), -1.0)
    stop = np.minimum(predicted[:, 1], truth[:, 1])
    start = np.maximum(predicted[:, 0], truth[:, 0])
    shared = np.maximum(stop - start, 0)
    union = np.diff(predicted)[:, 0] + np.diff(truth)[:, 0] - shared
    iou = shared / union
    return np.where(iou >= rule.state_iou - _EPS, iou, -1.0)


def candidate_pairs(
    predicted: SpanArray, truth: SpanArray, *, kind: ActionKind, fps: float, rule: MatchRule
) -> tuple[SpanArray, NDArray[np.float64]]:
    """All pairs that may match, and how well they do, whoever else competes for them.

    Args:
        predicted: int64 (N, 2), half-open frame ranges in any order.
        truth: int64 (M, 2).
        kind: state or point event.
        fps: frames per second, for the tolerance of point events.
        rule: thresholds.

    Returns:
        int64 (P, 2), index pairs (predicted, truth), and float64 (P,), quality 0..1: IoU of state
        events, closeness of the centres of point events.
    """
    if not len(predicted) or not len(truth):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    reach = rule.point_tolerance_seconds * fps + 1 if kind is ActionKind.POINT else 0.0
    pairs = _near_pairs(predicted, truth, reach_frames=reach)
    quality = _quality(predicted[pairs[:, 0]], truth[pairs[:, 1]], kind=kind, fps=fps, rule=rule)
    return pairs[quality >= 0], quality[quality >= 0]


def match_spans(
    predicted: SpanArray,
    truth: SpanArray,
    *,
    kind: ActionKind,
    fps: float,
    rule: MatchRule | None = None,
) -> SpanArray:
    """Largest one-to-one matching; among the largest, the one of best total quality.

    Quality is the IoU of state events and the closeness of the centres of point events. Solved
    with the Hungarian method on each group of bouts that compete with each other.

    Args:
        predicted: int64 (N, 2), half-open frame ranges in any order.
        truth: int64 (M, 2).
        kind: state or point event.
        fps: frames per second, for the tolerance of point events.
        rule: thresholds.

    Returns:
        int64 (P, 2): index pairs (predicted, truth), sorted by predicted index.
    """
    pairs, quality = candidate_pairs(predicted, truth, kind=kind, fps=fps, rule=rule or MatchRule())
    if all(len(np.unique(pairs[:, side])) == len(pairs) for side in (0, 1)):
        return pairs[np.argsort(pairs[:, 0])]  # nothing competes
    total = len(predicted) + len(truth)
    graph = sparse.coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1] + len(predicted))), shape=(total, total)
    )
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    group = labels[pairs[:, 0]]
    order = np.argsort(group, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    matched = [_assign(pairs[piece], quality[piece]) for piece in pieces]
    result = np.concatenate(matched)
    return result[np.argsort(result[:, 0])]


def _assign(pairs: SpanArray, quality: NDArray[np.float64]) -> SpanArray:
    if len(pairs) == 1:
        return pairs
    rows, row = np.unique(pairs[:, 0], return_inverse=True)
    columns, column = np.unique(pairs[:, 1], return_inverse=True)
    # a match is worth more than any sum of qualities, so the number of matches comes first
    reward = np.zeros((len(rows), len(columns)))
    reward[row, column] = quality + min(reward.shape) + 1
    picked_row, picked_column = optimize.linear_sum_assignment(reward, maximize=True)
    real = reward[picked_row, picked_column] > 0
    return np.stack([rows[picked_row[real]], columns[picked_column[real]]], axis=1)
