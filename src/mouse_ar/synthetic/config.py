"""What a synthetic data set contains: amounts, rates and levels, all with units."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mouse_ar.synthetic.disturbance import DISTURBANCES

__all__ = ["GROOMING", "TWITCH", "SyntheticConfig"]

# Tag names as in configs/actions.yaml.
GROOMING = "Self-Grooming"
TWITCH = "Head/Body TWITCH"


@dataclass(frozen=True)
class SyntheticConfig:
    """Settings of the generator. Video ``index`` depends on these and on nothing else.

    Args:
        num_videos: videos of the data set; changing it changes no video.
        seconds_per_video: length of each video in seconds.
        fps: frames per second.
        width: frame width in pixels, even. The mouse is about 68 px long at 256x192 and scales
            with the frame.
        height: frame height in pixels, even.
        seed: root of all randomness.
        grooming_bouts_per_minute: mean rate of Self-Grooming bouts.
        grooming_seconds: shortest and longest bout in seconds (uniform).
        twitches_per_minute: mean rate of Head/Body TWITCH events.
        twitch_frames: shortest and longest twitch in frames (uniform, both inclusive).
        twitch_degrees: smallest and largest amplitude in degrees: how far head or body is turned
            to either side of its course; the sign alternates every one or two frames.
        distractors_per_minute: mean rate of abrupt events that carry no label: one-way head
            turns, startles, posture shifts, flicker bursts, passing shadows, camera bumps.
        noise_sigma: standard deviation of the sensor noise in grey levels (0..255).
        flicker_percent: peak of the lamp flicker in every frame, in percent of brightness.
        positive_free: indices of videos without any labelled action.
        disturbance: what makes the mouse harder to find, one of DISTURBANCES
            (:mod:`~mouse_ar.synthetic.disturbance`).

    Raises:
        ValueError: a value is out of its range, or the rates do not fit into the time.
    """

    num_videos: int = 16
    seconds_per_video: float = 40.0
    fps: float = 25.0
    width: int = 256
    height: int = 192
    seed: int = 0
    grooming_bouts_per_minute: float = 4.0
    grooming_seconds: tuple[float, float] = (1.5, 7.0)
    twitches_per_minute: float = 12.0
    twitch_frames: tuple[int, int] = (2, 6)
    twitch_degrees: tuple[float, float] = (18.0, 32.0)
    distractors_per_minute: float = 22.0
    noise_sigma: float = 2.5
    flicker_percent: float = 1.5
    positive_free: tuple[int, ...] = (5,)
    disturbance: str = "none"

    def __post_init__(self) -> None:
        for name in ("num_videos", "seconds_per_video", "fps"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"SyntheticConfig.{name} must be > 0, got {value}.")
        if self.disturbance not in DISTURBANCES:
            raise ValueError(
                f"SyntheticConfig.disturbance must be one of {', '.join(DISTURBANCES)}, "
                f"got {self.disturbance!r}."
            )
        if self.seed < 0:
            raise ValueError(f"SyntheticConfig.seed must be >= 0, got {self.seed}.")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value < 64 or value % 2:
                raise ValueError(f"SyntheticConfig.{name} must be even and >= 64, got {value}.")
        for name in ("twitch_frames", "grooming_seconds", "twitch_degrees"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(
                    f"SyntheticConfig.{name} must be (low, high) with 0 < low <= high, "
                    f"got {(low, high)}."
                )
        for name in ("noise_sigma", "flicker_percent", *_RATES):
            if getattr(self, name) < 0:
                raise ValueError(f"SyntheticConfig.{name} must be >= 0, got {getattr(self, name)}.")
        share = self.grooming_bouts_per_minute / 60 * sum(self.grooming_seconds) / 2
        if share > 0.6:
            raise ValueError(
                f"Grooming would fill {share:.0%} of the time, at most 60 % is possible: lower "
                "grooming_bouts_per_minute or grooming_seconds."
            )
        if self.twitches_per_minute + self.distractors_per_minute > 60:
            raise ValueError(
                "twitches_per_minute + distractors_per_minute must be at most 60 so that events "
                f"stay apart, got {self.twitches_per_minute} + {self.distractors_per_minute}."
            )

    @property
    def num_frames(self) -> int:
        """Frames of each video."""
        return max(1, round(self.seconds_per_video * self.fps))

    @property
    def body_px(self) -> float:
        """Mean length of a mouse from tail base to nose in pixels."""
        return 68.0 * min(self.width / 256, self.height / 192)


_RATES = ("grooming_bouts_per_minute", "twitches_per_minute", "distractors_per_minute")
