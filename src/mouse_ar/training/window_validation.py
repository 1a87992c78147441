"""A cheap look at the current weights between validations: a fixed set of held-out windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.frame_curves import average_precision
from mouse_ar.core.types import ClipSpec
from mouse_ar.core.windows import action_masks, class_targets, window_at
from mouse_ar.data.pixels import normalise
from mouse_ar.data.sampling import Sample, SampledSource, WindowSampler
from mouse_ar.data.stream import crop_window, window_crop
from mouse_ar.data.training_data import TrainingData, VideoRecord
from mouse_ar.mvd import MVD
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.loading import load_batches
from mouse_ar.training.validation import split_clips
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import open_video

__all__ = [
    "ValidationWindows",
    "WindowScores",
    "judge_windows",
    "score_windows",
    "windows_to_watch",
]

MOST_WINDOWS = 256
_FEWEST_WINDOWS = 32


class ValidationWindows(Dataset[dict[str, Any]]):
    """Windows of videos that are not trained on, the same ones at every validation.

    All classes have about the same number of them. Each item is a dict of ``frames`` uint8
    (T, H, W, 3) and ``target`` float32 (K,), without augmentation. Windows of one video follow
    each other; only the frames of a window are decoded, however long the video is, and what was
    loaded once is kept in memory: num_frames * input_size^2 * 3 bytes a window.

    Args:
        records: val videos or held-out clips.
        spec: ClipSpec at ``training_fps``.
        training_fps: frame rate that the sampling rate refers to.
        actions: classes, in model order.
        most: number of windows.
        seed: decides which.

    Raises:
        ValueError: no window shows an action.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        *,
        spec: ClipSpec,
        training_fps: float,
        actions: ActionSet,
        most: int = MOST_WINDOWS,
        seed: int = 0,
    ) -> None:
        self.num_classes = len(actions.classes)
        self._records = records
        self._specs = [spec.for_fps(r.fps, reference_fps=training_fps) for r in records]
        self._masks = [action_masks(record.ethogram, actions=actions) for record in records]
        sampler = WindowSampler(
            [
                SampledSource(
                    ethogram=record.ethogram,
                    spec=own,
                    is_idle=record.dataset == actions.background,
                    ignored=record.ignored,
                )
                for record, own in zip(records, self._specs, strict=True)
            ],
            actions=actions.names,
            samples=most,
            background_share=1 / len(actions.classes),
            seed=seed,
        )
        self._samples = sorted(sampler.epoch(0), key=lambda s: (s.source, s.start))
        self._metas: dict[int, VideoMeta] = {}
        self._loaded: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, item: int) -> dict[str, Any]:
        if item not in self._loaded:
            self._loaded[item] = self._load(self._samples[item])
        return self._loaded[item]

    def _load(self, sample: Sample) -> dict[str, Any]:
        record, spec = self._records[sample.source], self._specs[sample.source]
        window = window_at(sample.start, num_frames=record.num_frames, spec=spec)
        crop = window_crop(
            window, track=record.track, spec=spec, width=record.width, height=record.height
        )
        if sample.source not in self._metas:
            self._metas[sample.source] = probe(record.path)
        with open_video(record.path, meta=self._metas[sample.source]) as reader:
            frames = reader.get_batch(window.indices)
        frames_THWC = crop_window(list(frames), window=window, crop=crop, size=spec.input_size)
        target_K = class_targets(window, self._masks[sample.source])
        return {"frames": torch.from_numpy(frames_THWC), "target": torch.from_numpy(target_K)}


def windows_to_watch(
    data: TrainingData,
    *,
    config: TrainConfig,
    actions: ActionSet,
    training_fps: float,
    samples_per_epoch: int,
) -> ValidationWindows | None:
    """The windows that a run judges itself by between validations.

    They are of the val videos; without any, of the clips that such a run holds out. There are 256
    at most, and a quarter of an epoch's, so that looking at them costs little beside training.

    Args:
        data: of the run.
        config: of the run.
        actions: classes, in model order.
        training_fps: frame rate that the sampling rate refers to.
        samples_per_epoch: windows that an epoch trains on.

    Returns:
        None where nothing that shows an action is kept from the training.
    """
    records = data.val
    if not records:
        records = tuple(split_clips(data.clips, actions=actions.names, seed=config.seed)[1])
    if not any(record.ethogram.bouts for record in records):
        return None
    spec = config.clip_spec()
    room = config.cache_mb * 1_000_000 // 4 // (spec.num_frames * spec.input_size**2 * 3)
    return ValidationWindows(
        records,
        spec=spec,
        training_fps=training_fps,
        actions=actions,
        most=min(MOST_WINDOWS, max(_FEWEST_WINDOWS, min(room, samples_per_epoch // 4))),
        seed=config.seed,
    )


@dataclass(frozen=True, eq=False)
class WindowScores:
    """What a model says of some windows.

    Args:
        logits_NK: float32.
        target_NK: float32, shares of the classes in each window.
    """

    logits_NK: NDArray[np.float32]
    target_NK: NDArray[np.float32]


@torch.inference_mode()
def score_windows(
    model: MVD,
    windows: ValidationWindows,
    *,
    device: torch.device,
    batch_size: int,
    num_workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> WindowScores:
    """Run the model on the windows, or on one process's share of them.

    Args:
        model: in eval mode on ``device``; on CUDA it runs under bfloat16 autocast.
        windows: to score.
        device: where the model runs.
        batch_size: windows per forward pass.
        num_workers: threads that load.
        rank: of this process.
        world_size: processes that share the windows.
    """
    share = len(windows) / world_size
    mine = range(round(rank * share), round((rank + 1) * share))
    logits, targets = [], []
    groups = [mine[start : start + batch_size] for start in range(0, len(mine), batch_size)]
    for batch in load_batches(windows, groups, num_workers=num_workers):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            logits_NK = model(normalise(batch["frames"].to(device)))
        logits.append(logits_NK.float().cpu().numpy())
        targets.append(batch["target"].numpy())
    nothing = np.empty((0, windows.num_classes), dtype=np.float32)
    return WindowScores(np.concatenate([nothing, *logits]), np.concatenate([nothing, *targets]))


def judge_windows(parts: Sequence[WindowScores], *, actions: ActionSet) -> dict[str, Any]:
    """Metrics of the windows that one or several processes have scored, JSON-ready.

    Args:
        parts: of :func:`score_windows`, in any order.
        actions: classes, in model order.

    Returns:
        ``windows`` (their number), ``loss`` (plain cross-entropy against the soft targets, so
        that runs with other losses compare), ``macro_f1`` (over the classes that occur, each
        window belonging to its largest share) and ``average_precision`` by class (None where the
        class does not occur). Windows are balanced: these are no rates of whole videos.
    """
    logits_NK = np.concatenate([part.logits_NK for part in parts])
    target_NK = np.concatenate([part.target_NK for part in parts])
    scores_NK = torch.from_numpy(logits_NK).softmax(dim=1).numpy()
    truth_N = target_NK.argmax(axis=1)
    loss = cross_entropy(torch.from_numpy(logits_NK), torch.from_numpy(target_NK))
    macro = f1_score(
        truth_N,
        logits_NK.argmax(axis=1),
        labels=np.unique(truth_N),
        average="macro",
        zero_division=0.0,
    )
    return {
        "windows": len(truth_N),
        "loss": float(loss),
        "macro_f1": float(macro),
        "average_precision": {
            name: average_precision(truth_N == index, scores_NK[:, index])
            for index, name in enumerate(actions.classes)
        },
    }
