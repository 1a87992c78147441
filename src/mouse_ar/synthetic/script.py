"""What a mouse does when: a seeded semi-Markov script of behaviours and abrupt events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Interval
from mouse_ar.synthetic.config import SyntheticConfig

__all__ = ["Behaviour", "Distractor", "Script", "write_script"]


class Behaviour(StrEnum):
    """What the mouse is busy with; every frame has exactly one."""

    WALK = "walk"
    REST = "rest"
    SNIFF = "sniff"
    REAR = "rear"
    GROOM = "groom"


class Distractor(StrEnum):
    """Abrupt events that move pixels like a twitch does and are not labelled."""

    HEAD_TURN = "head turn"
    STARTLE = "startle"
    POSTURE_SHIFT = "posture shift"
    FLICKER = "flicker burst"
    SHADOW = "passing shadow"
    CAMERA_BUMP = "camera bump"


# Shortest and longest stay in seconds (uniform), and how often each is chosen.
_STAY_SECONDS = {
    Behaviour.WALK: (0.8, 3.2),
    Behaviour.REST: (0.8, 3.0),
    Behaviour.SNIFF: (0.8, 2.6),
    Behaviour.REAR: (0.6, 1.6),
}
_WEIGHTS = {
    Behaviour.WALK: 0.40,
    Behaviour.REST: 0.22,
    Behaviour.SNIFF: 0.26,
    Behaviour.REAR: 0.12,
}
# How long a distractor lasts in seconds, and how often it is chosen.
_DISTRACTOR_SECONDS = {
    Distractor.HEAD_TURN: (0.04, 0.08),
    Distractor.STARTLE: (0.08, 0.16),
    Distractor.POSTURE_SHIFT: (0.08, 0.16),
    Distractor.FLICKER: (0.12, 0.40),
    Distractor.SHADOW: (0.6, 1.4),
    Distractor.CAMERA_BUMP: (0.04, 0.08),
}
_DISTRACTOR_WEIGHTS = {
    Distractor.HEAD_TURN: 0.28,
    Distractor.STARTLE: 0.24,
    Distractor.POSTURE_SHIFT: 0.06,
    Distractor.FLICKER: 0.18,
    Distractor.SHADOW: 0.06,
    Distractor.CAMERA_BUMP: 0.18,
}
# These move the animal, which has its paws full while grooming.
_BODILY = {Distractor.HEAD_TURN, Distractor.STARTLE, Distractor.POSTURE_SHIFT}
# Abrupt events keep this distance, so that each has a clear label.
_EVENT_GAP_SECONDS = 0.48


@dataclass(frozen=True)
class Script:
    """The plot of one video.

    Args:
        num_frames: frames of the video.
        behaviours: consecutive stays that cover the video.
        twitches: twitch events, on top of whatever the mouse is doing.
        distractors: unlabelled abrupt events; disjoint from the twitches.
    """

    num_frames: int
    behaviours: tuple[tuple[Behaviour, Interval], ...]
    twitches: tuple[Interval, ...]
    distractors: tuple[tuple[Distractor, Interval], ...]

    def mask(self, behaviour: Behaviour) -> NDArray[np.bool_]:
        """Frames of one behaviour: bool (T,)."""
        mask_T = np.zeros(self.num_frames, dtype=bool)
        for kind, stay in self.behaviours:
            if kind is behaviour:
                mask_T[stay.start : stay.stop] = True
        return mask_T

    def of_kind(self, distractor: Distractor) -> list[Interval]:
        """When one kind of distractor happens."""
        return [interval for kind, interval in self.distractors if kind is distractor]


def write_script(
    config: SyntheticConfig, *, positive_free: bool, rng: np.random.Generator
) -> Script:
    """Draw the plot of one video.

    Args:
        config: rates and lengths.
        positive_free: no grooming and no twitches.
        rng: source of randomness.
    """
    behaviours = _draw_behaviours(config, groom=not positive_free, rng=rng)
    rates = [0.0 if positive_free else config.twitches_per_minute, config.distractors_per_minute]
    twitches: list[Interval] = []
    distractors: list[tuple[Distractor, Interval]] = []
    gap = _EVENT_GAP_SECONDS * config.fps
    time, total = 0.0, sum(rates)
    while total > 0:
        # The gap and the event itself (0.2 s on average) use up a part of the mean wait.
        wait = max(60 / total - _EVENT_GAP_SECONDS - 0.2, 0.05)
        time += gap + rng.exponential(wait) * config.fps
        start = int(time)
        if rng.random() < rates[0] / total:
            low, high = config.twitch_frames
            event = Interval(start, start + int(rng.integers(low, high + 1)))
            if event.stop <= config.num_frames:
                twitches.append(event)
        else:
            kind, event = _draw_distractor(start, behaviours, config=config, rng=rng)
            if event.stop <= config.num_frames:
                distractors.append((kind, event))
        if event.stop > config.num_frames:
            break
        time = float(event.stop)
    return Script(config.num_frames, tuple(behaviours), tuple(twitches), tuple(distractors))


def _draw_behaviours(
    config: SyntheticConfig, *, groom: bool, rng: np.random.Generator
) -> list[tuple[Behaviour, Interval]]:
    kinds = list(_STAY_SECONDS)
    weights = np.array([_WEIGHTS[k] for k in kinds])
    mean_stay = sum(_WEIGHTS[k] * sum(_STAY_SECONDS[k]) / 2 for k in kinds)
    rate = config.grooming_bouts_per_minute / 60 if groom else 0.0
    # A bout follows each other stay with this chance: then bouts come at the configured rate.
    chance = min(1.0, rate * mean_stay / (1 - rate * sum(config.grooming_seconds) / 2))
    stays: list[tuple[Behaviour, Interval]] = []
    frame, last = 0, Behaviour.GROOM if rng.random() > 0.5 else Behaviour.REST
    while frame < config.num_frames:
        if last is not Behaviour.GROOM and rng.random() < chance:
            kind, (low, high) = Behaviour.GROOM, config.grooming_seconds
        else:
            kind = kinds[int(rng.choice(len(kinds), p=weights))]
            low, high = _STAY_SECONDS[kind]
        length = max(1, round(rng.uniform(low, high) * config.fps))
        if frame + length > config.num_frames and kind is Behaviour.GROOM:
            # A bout cut off after a few frames could not be told from a posture.
            kind = Behaviour.REST
        stop = min(frame + length, config.num_frames)
        stays.append((kind, Interval(frame, stop)))
        frame, last = stop, kind
    return stays


def _draw_distractor(
    start: int,
    behaviours: list[tuple[Behaviour, Interval]],
    *,
    config: SyntheticConfig,
    rng: np.random.Generator,
) -> tuple[Distractor, Interval]:
    grooming = any(
        kind is Behaviour.GROOM and stay.start - 5 <= start < stay.stop + 5
        for kind, stay in behaviours
    )
    kinds = [k for k in Distractor if not (grooming and k in _BODILY)]
    weights = np.array([_DISTRACTOR_WEIGHTS[k] for k in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    low, high = _DISTRACTOR_SECONDS[kind]
    return kind, Interval(start, start + max(1, round(rng.uniform(low, high) * config.fps)))
