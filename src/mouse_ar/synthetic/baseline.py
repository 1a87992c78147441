"""What a model has to beat: twitches found by a threshold on frame-difference energy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import find_peaks

from mouse_ar.core.actions import ActionKind
from mouse_ar.core.matching import match_spans, spans_of
from mouse_ar.core.results import Counts
from mouse_ar.core.types import Bout, Ethogram, Interval, Track
from mouse_ar.synthetic.config import TWITCH

__all__ = [
    "EnergyBaseline",
    "EnergyThreshold",
    "fit_energy_threshold",
    "motion_energy",
    "motion_energy_baseline",
]

UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
LabelledEnergy = tuple[FloatArray, Ethogram]

# Two peaks closer than this belong to one event.
_MIN_DISTANCE_SECONDS = 0.3
_BACKGROUND_SECONDS = 1.0
_CANDIDATES = 60


def motion_energy(frames: Iterable[UInt8Array], track: Track) -> FloatArray:
    """Mean absolute grey-level change around the mouse from each frame to the next.

    Args:
        frames: uint8 RGB (H, W, 3) in order, as many as the track has.
        track: boxes; the change is measured in the union of the two frames' boxes.

    Returns:
        float32 (T,) in grey levels; 0 in the first frame and where there is no box.

    Raises:
        ValueError: fewer or more frames than the track has.
    """
    energy_T = np.zeros(track.num_frames, dtype=np.float32)
    before: UInt8Array | None = None
    for index, (frame_HWC, _) in enumerate(zip(frames, range(track.num_frames), strict=True)):
        grey_HW = np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        box, last = track.box(index), track.box(index - 1) if index else None
        if before is not None and box is not None and last is not None:
            both = box.union(last)
            rows = slice(max(0, int(both.top)), max(0, int(np.ceil(both.bottom))))
            columns = slice(max(0, int(both.left)), max(0, int(np.ceil(both.right))))
            change = cv2.absdiff(grey_HW[rows, columns], before[rows, columns])
            energy_T[index] = np.mean(change) if change.size else 0.0
        before = grey_HW
    return energy_T


@dataclass(frozen=True)
class EnergyThreshold:
    """Events are the peaks of the energy above a threshold.

    Args:
        threshold: in grey levels, or in multiples of the video's median when ``is_relative``.
        is_relative: divide by the median of the video, which evens out light and contrast.
        is_transient: subtract the running median over one second, which removes steady motion.
    """

    threshold: float
    is_relative: bool = False
    is_transient: bool = False

    def predict(self, energy_T: FloatArray, *, fps: float, action: str = TWITCH) -> Ethogram:
        """Events of one video, each one frame long at its peak."""
        level_T = _prepare(
            energy_T, fps=fps, is_relative=self.is_relative, is_transient=self.is_transient
        )
        bouts = [
            Bout(Interval(int(p), int(p) + 1), action)
            for p in _peaks(level_T, fps=fps)
            if level_T[p] > self.threshold
        ]
        return Ethogram(num_frames=len(energy_T), fps=fps, bouts=tuple(bouts))


@dataclass(frozen=True)
class EnergyBaseline:
    """A fitted threshold and its events on the videos it was fitted on and on others."""

    fitted: EnergyThreshold
    train: Counts
    test: Counts


def motion_energy_baseline(
    train: Sequence[LabelledEnergy], test: Sequence[LabelledEnergy], *, action: str = TWITCH
) -> EnergyBaseline:
    """Fit the threshold on some videos and count events on others.

    Args:
        train: energy (T,) from :func:`motion_energy` and truth of each video.
        test: the same of the held-out videos.
        action: a point event.
    """
    fitted = fit_energy_threshold(train, action=action)
    return EnergyBaseline(
        fitted=fitted,
        train=_count(fitted, train, action=action),
        test=_count(fitted, test, action=action),
    )


def fit_energy_threshold(
    videos: Sequence[LabelledEnergy], *, action: str = TWITCH
) -> EnergyThreshold:
    """The threshold and preparation with the best pooled event F1 on these videos.

    Events match as everywhere: centres within 0.25 s, one to one.

    Raises:
        ValueError: there are no videos.
    """
    if not videos:
        raise ValueError("fit_energy_threshold needs at least one video, got none.")
    best, best_f1 = EnergyThreshold(float("inf")), -1.0
    for is_relative, is_transient in product((False, True), repeat=2):
        heights = [
            level_T[_peaks(level_T, fps=truth.fps)]
            for energy_T, truth in videos
            for level_T in [
                _prepare(
                    energy_T, fps=truth.fps, is_relative=is_relative, is_transient=is_transient
                )
            ]
        ]
        for threshold in np.quantile(
            np.append(np.concatenate(heights), 0.0), np.linspace(0, 1, _CANDIDATES)
        ):
            candidate = EnergyThreshold(float(threshold), is_relative, is_transient)
            f1 = _count(candidate, videos, action=action).f1 or 0.0
            if f1 > best_f1:
                best, best_f1 = candidate, f1
    return best


def _prepare(
    energy_T: FloatArray, *, fps: float, is_relative: bool, is_transient: bool
) -> FloatArray:
    level_T = energy_T
    if is_relative:
        level_T = level_T / max(float(np.median(energy_T)), 1e-6)
    if is_transient:
        level_T = level_T - median_filter(level_T, size=max(3, round(_BACKGROUND_SECONDS * fps)))
    return np.asarray(level_T, dtype=np.float32)


def _peaks(level_T: FloatArray, *, fps: float) -> NDArray[np.int64]:
    # Padding lets the first and the last frame be peaks.
    padded = np.pad(level_T, 1, constant_values=float(level_T.min(initial=0.0)) - 1.0)
    distance = max(1, round(_MIN_DISTANCE_SECONDS * fps))
    return np.asarray(find_peaks(padded, distance=distance)[0] - 1, dtype=np.int64)


def _count(fitted: EnergyThreshold, videos: Sequence[LabelledEnergy], *, action: str) -> Counts:
    total = Counts()
    for energy_T, truth in videos:
        predicted = spans_of(
            [b.interval for b in fitted.predict(energy_T, fps=truth.fps, action=action).bouts]
        )
        true = spans_of([b.interval for b in truth.of(action)])
        hits = len(match_spans(predicted, true, kind=ActionKind.POINT, fps=truth.fps))
        total += Counts(tp=hits, fp=len(predicted) - hits, fn=len(true) - hits)
    return total
