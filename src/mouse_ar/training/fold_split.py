"""Which source videos each fold of a cross-validation holds out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.training_data import VideoRecord

__all__ = ["assign_folds"]

# Chance decides between equals only, but may do better at the next attempt.
_ATTEMPTS = 20
_APART = 1_000_003


def assign_folds(
    clips: Sequence[VideoRecord], *, actions: ActionSet, folds: int, seed: int = 0
) -> list[tuple[str, ...]]:
    """Divide the sources of clips so that every fold has its share of each action's bouts.

    A source is a video, or the group of videos that the table of groups gave to preprocessing
    (an animal, a recording): it is in one fold only. The division is scikit-learn's
    ``StratifiedGroupKFold`` over the bouts, and the clips without any.

    Args:
        clips: to divide; their order does not matter.
        actions: classes.
        folds: how many, from 2 to the number of sources that show an action. With that many,
            each holds out one of these sources.
        seed: another seed, another choice among equals.

    Returns:
        Sources of each fold, sorted.

    Raises:
        ValueError: there are too few sources for so many folds, or a fold would have to hold out
            all bouts of an action and could not learn it.
    """
    holders = {
        name: {clip.source for clip in clips if clip.ethogram.of(name)} for name in actions.names
    }
    able = set[str]().union(*holders.values())
    if not 2 <= folds <= len(able):
        raise ValueError(
            f"--folds {folds} is impossible: allowed are 2 to {len(able)}, the number of source "
            "videos (or groups) of the training clips that show an action. Label more videos."
        )
    for name, sources in holders.items():
        if len(sources) < 2:
            raise ValueError(
                f"--folds {folds} is impossible: all clips of {name} are from "
                f"{next(iter(sources), 'no video at all')}, and a fold that holds it out could "
                "not learn the action. Label it in another video."
            )
    labels, groups = [], []
    for clip in sorted(clips, key=lambda clip: clip.key):
        shown = [bout.action for bout in clip.ethogram.bouts] or [actions.background]
        labels += shown
        groups += [clip.source] * len(shown)
    for attempt in range(_ATTEMPTS):
        held = _divide(labels, groups, folds=folds, seed=seed + attempt * _APART)
        fair = all(able & set(sources) for sources in held)
        if fair and not any(own <= set(sources) for own in holders.values() for sources in held):
            return held
    raise ValueError(
        f"--folds {folds} is impossible with this seed: some fold would hold out all bouts of an "
        "action, or none of any, as few source videos hold most of them. Use another number of "
        "folds or another seed, or label more videos."
    )


def _divide(
    labels: Sequence[str], groups: Sequence[str], *, folds: int, seed: int
) -> list[tuple[str, ...]]:
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # An action with fewer bouts than folds is left out of the mean where it does not occur.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(splitter.split(np.zeros(len(labels)), labels, groups))
    return [tuple(sorted({groups[index] for index in test})) for _, test in parts]
