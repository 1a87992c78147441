"""Hard negatives: idle windows that the model takes for an action, to be shown more often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mouse_ar.data.augment import plain_inputs
from mouse_ar.data.sampling import Sample
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import Team
from mouse_ar.training.loading import load_batches

__all__ = ["Mined", "hardest", "mine"]

# Idle windows looked at in a round, for each that an epoch draws, and at most: scoring costs a
# third of training on as many, so a round costs about a third of an epoch and never more than this.
_LOOKED_AT, _MOST = 2, 4096
# Hard windows kept for each that an epoch draws: the next epochs see different ones.
_KEPT = 2
# What the model is surest of is left out: these are where a bout was overlooked, and training on
# them would teach the labeler's slip.
_DOUBTFUL = 0.01
# One odd clip must not become the whole list.
_PER_CLIP = 4


@dataclass(frozen=True)
class Mined:
    """What a round of mining found.

    Args:
        looked_at: idle windows that were scored.
        kept: hard ones among them.
        mean_kept: their mean probability of an action, 0..1.
        mean_all: the same of all.
    """

    looked_at: int
    kept: int
    mean_kept: float
    mean_all: float


def mine(
    model: Callable[[torch.Tensor], torch.Tensor],
    clips: TrainingClips,
    *,
    epoch: int,
    config: TrainConfig,
    device: torch.device,
    team: Team | None = None,
) -> Mined | None:
    """Score a random part of the idle windows, and keep the most confused for the next epochs.

    All processes of a run must call it; they share the batches and end with one list. Batches are
    the same whatever the number of processes.

    Args:
        model: inputs float (N, 3, T, H, W) -> logits (N, K), in evaluation mode; precision is the
            caller's (a surrounding ``torch.autocast``).
        clips: of the run; they draw from the list from the next epoch on.
        epoch: the epoch that has been trained; decides which windows are looked at.
        config: settings of the run.
        device: where the model is.
        team: the processes of the run, one by default.

    Returns:
        What was found; None where ``hard_negatives`` is 0 or no idle clips are left over.
    """
    team = team or Team()
    wanted = round(clips.idle_windows * config.hard_negatives)
    if not wanted or not clips.has_idle_pool:
        return None
    number = min(_LOOKED_AT * clips.idle_windows, _MOST)
    samples, dataset = clips.idle_candidates(number, epoch=epoch)
    size = config.batch_size
    groups = [range(at, min(at + size, len(samples))) for at in range(0, len(samples), size)]
    confusion_N = np.zeros(len(samples))
    with torch.inference_mode():
        for batch in load_batches(
            dataset, groups[team.rank :: team.world_size], num_workers=config.num_workers
        ):
            inputs, _ = plain_inputs(batch, device=device)
            idle_N = torch.softmax(model(inputs).float(), dim=1)[:, 0]
            confusion_N[batch["sample"].numpy()] = 1 - idle_N.double().cpu().numpy()
    confusion_N = np.sum(team.gathered(confusion_N), axis=0)
    kept = hardest(samples, confusion_N, number=_KEPT * wanted)
    clips.set_hard([samples[i] for i in kept])
    return Mined(
        looked_at=len(samples),
        kept=len(kept),
        mean_kept=float(confusion_N[kept].mean()) if len(kept) else 0.0,
        mean_all=float(confusion_N.mean()),
    )


def hardest(
    samples: Sequence[Sample], confusion_N: NDArray[np.float64], *, number: int
) -> list[int]:
    """Which windows are kept, hardest first.

    Args:
        samples: the windows.
        confusion_N: the model's probability that an action goes on in each.
        number: how many are wanted; never more than half, or hard would mean little.

    Returns:
        Their places in ``samples``.
    """
    order = np.argsort(-confusion_N, kind="stable")
    doubtful = math.ceil(_DOUBTFUL * len(samples))
    taken: Counter[int] = Counter()
    kept: list[int] = []
    for place in order[doubtful : doubtful + len(samples) // 2]:
        source = samples[place].source
        if len(kept) < number and taken[source] < _PER_CLIP:
            taken[source] += 1
            kept.append(int(place))
    return kept
