"""Windows of labelled videos with their scores: made of the labels, or given by a demo's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rat_clips import ACTIONS
from real_data import GROOMING, LABELS, NATURAL, TIMELINE, Video, read_videos
from scipy import ndimage, special

from mouse_ar.core.types import Bout, ClipSpec, Ethogram, Interval, Window
from mouse_ar.core.windows import action_masks, central_half, class_targets, plan_windows
from mouse_ar.data.pixels import normalise
from mouse_ar.data.stream import iter_groups
from mouse_ar.data.training_data import VideoRecord, open_training_data
from mouse_ar.pipelines.precision import autocast
from mouse_ar.pipelines.predictor import Predictor, load_predictor
from mouse_ar.pipelines.scoring import default_stride
from mouse_ar.video.probe import probe

__all__ = ["Scorer", "WindowScores", "demo_videos", "labelled_videos", "scored_record", "steps"]

# Three cameras saw the same bouts: one of them counts.
_SAME_BOUTS = ("mouse_cylinder/camU_31500.mp4", "mouse_cylinder/camL_31500.mp4")
REAL = [TIMELINE, *(file for file in NATURAL if file not in _SAME_BOUTS)]
DRAWS = 20  # of the noise, for every video
LIKELIEST = 0.98  # even the classifier that is about to get noise is never surer
BATCH_SIZE = 16

Scorer = Callable[[Sequence[Window]], np.ndarray]
"""Probabilities (N, K) of some windows, background first."""


@dataclass(frozen=True, eq=False)
class WindowScores:
    """A labelled video with the scores of its windows.

    Args:
        truth: its labels.
        ignored: frames that are not scored.
        spec: of the windows.
        classes: of the scores.
        by_start: probabilities (K,) of each window by its first frame.
    """

    truth: Ethogram
    ignored: tuple[Interval, ...]
    spec: ClipSpec
    classes: tuple[str, ...]
    by_start: Mapping[int, np.ndarray]

    @classmethod
    def of(
        cls,
        truth: Ethogram,
        *,
        ignored: tuple[Interval, ...],
        spec: ClipSpec,
        classes: tuple[str, ...],
        scorer: Scorer,
    ) -> WindowScores:
        """Score the windows of all :func:`steps` once."""
        windows = {
            window.interval.start: window
            for step in steps(spec)
            for window in plan_windows(truth.num_frames, spec=spec, stride_frames=step)
        }
        starts = sorted(windows)
        scores_NK = scorer([windows[start] for start in starts])
        return cls(truth, ignored, spec, classes, dict(zip(starts, scores_NK, strict=True)))

    def at(self, step: int) -> tuple[list[Window], np.ndarray]:
        """The windows at a step, and their probabilities (N, K)."""
        windows = plan_windows(self.truth.num_frames, spec=self.spec, stride_frames=step)
        return windows, np.stack([self.by_start[window.interval.start] for window in windows])


def steps(spec: ClipSpec) -> tuple[int, int]:
    """The earlier app's step, half a window, and our default."""
    return spec.window_frames // 2, default_stride(spec)


def labelled_videos(data: Path, *, noise: float) -> dict[str, WindowScores]:
    """Videos of the data, their scores made of their labels.

    Args:
        data: folder of the videos and their tables.
        noise: standard deviation of the noise in the log-odds; 0 for a classifier that is right.
    """
    videos = read_videos(data)
    found = {}
    for number, file in enumerate(REAL):
        meta = probe(data / file)
        truth, ignored = _labels(videos[file], num_frames=meta.num_frames, fps=meta.fps)
        for draw in range(DRAWS if noise else 1):
            rng = np.random.default_rng([number, draw])
            found[f"{file}#{draw}"] = WindowScores.of(
                truth,
                ignored=ignored,
                spec=ClipSpec(),
                classes=ACTIONS.classes,
                scorer=label_scorer(truth, noise=noise, rng=rng),
            )
    return found


def _labels(video: Video, *, num_frames: int, fps: float) -> tuple[Ethogram, tuple[Interval, ...]]:
    """The grooming bouts, and the frames of which nobody knows what they show."""
    known_T = np.zeros(num_frames, dtype=bool)
    bouts = []
    for frames, name in video.labels:
        if name in LABELS:
            known_T[frames.start : frames.stop] = True
        if name == GROOMING:
            bouts.append(Bout(frames, GROOMING))
    parts_T, count = ndimage.label(~known_T)
    unknown = (where[0] for where in ndimage.find_objects(parts_T, max_label=count))
    ignored = tuple(Interval(part.start, part.stop) for part in unknown)
    return Ethogram(num_frames, fps, tuple(bouts)), ignored


def label_scorer(truth: Ethogram, *, noise: float, rng: np.random.Generator) -> Scorer:
    """Probabilities of grooming as a window classifier would give them that knows the labels.

    Noise is drawn per frame and averaged over the central half of a window, so windows that share
    frames share their errors, as those of a network do.
    """
    masks_TK = action_masks(truth, actions=ACTIONS)
    half = central_half(Interval(0, ClipSpec().window_frames)).length
    white_F = rng.normal(size=truth.num_frames + 4 * half)
    smooth_F = ndimage.uniform_filter1d(white_F, size=half) * np.sqrt(half)

    def score(windows: Sequence[Window]) -> np.ndarray:
        grooming_N = np.array([class_targets(window, masks_TK)[1] for window in windows])
        if noise:
            middles_N = [int(window.interval.center) + 2 * half for window in windows]
            odds_N = special.logit(np.clip(grooming_N, 1 - LIKELIEST, LIKELIEST))
            grooming_N = special.expit(odds_N + noise * smooth_F[middles_N])
        return np.stack([1 - grooming_N, grooming_N], axis=1)

    return score


def demo_videos(folder: Path) -> tuple[dict[str, WindowScores], Predictor]:
    """Test videos of a finished demo, scored by its model."""
    predictor = load_predictor(
        folder / "run" / "checkpoints" / "best.safetensors", device=torch.device("cpu")
    )
    records = open_training_data(folder / "data", actions=predictor.actions).test
    return {record.key: scored_record(record, predictor=predictor) for record in records}, predictor


def scored_record(record: VideoRecord, *, predictor: Predictor) -> WindowScores:
    """A video with what the model says of its windows."""
    meta = probe(record.path)
    spec = predictor.spec_for(meta)

    @torch.inference_mode()
    def score(windows: Sequence[Window]) -> np.ndarray:
        rows = {window.interval.start: row for row, window in enumerate(windows)}
        scores_NK = np.zeros((len(windows), len(predictor.actions.classes)), dtype=np.float32)
        scores_NK[:, 0] = 1.0  # windows without the mouse stay background
        groups = {n: windows[n : n + BATCH_SIZE] for n in range(0, len(windows), BATCH_SIZE)}
        for group in iter_groups(
            record.path,
            groups=groups,
            track=record.track,
            spec=spec,
            meta=meta,
            skip_empty=bool(record.track.present_T.any()),
        ):
            if group.windows:
                with autocast(predictor.precision, device=predictor.device):
                    logits_NK = predictor.model(normalise(torch.from_numpy(group.pixels)))
                chosen = [rows[window.interval.start] for window in group.windows]
                scores_NK[chosen] = logits_NK.float().softmax(dim=1).numpy()
        return scores_NK

    return WindowScores.of(
        record.ethogram,
        ignored=record.ignored,
        spec=spec,
        classes=predictor.actions.classes,
        scorer=score,
    )
