"""Settings of preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from mouse_ar.core.settings import build_settings
from mouse_ar.core.splitting import Split
from mouse_ar.detection.choice import DetectorChoice
from mouse_ar.detection.tracking import DETECT_EVERY, MAX_DETECT_EVERY
from mouse_ar.detection.wire import ImageFormat

__all__ = ["PreprocessConfig"]


@dataclass(frozen=True)
class PreprocessConfig:
    """How an Input Project becomes Training Data.

    Args:
        min_seconds: shortest clip.
        max_seconds: longest clip.
        idle_ratio: idle frames per frame of state events (grooming); a larger ratio gives
            training a pool of hard negatives.
        idle_margin_seconds: distance of idle clips from any action.
        test_videos: number (int) or share (float) of test videos; None = min(10, 20 %).
        val_share: share of the videos that choose the checkpoint; none below six videos.
        seed: drives splits and idle sampling.
        detector: what finds the mouse, one of
            :data:`~mouse_ar.detection.choice.DETECTOR_FORMS`.
        detector_class: the detector's class that is the mouse, if it has several.
        detector_confidence: least score of a box of a detector with a model.
        detector_images: how frames go to a served detector, jpeg or png (slower, exact).
        detect_every: frames between detections, fewer where the mouse moves fast; the track is
            interpolated.
        short_side: limit of the clips' short side in pixels; None keeps the resolution.
        crf: H.264 quality of the clips; 16 is near-lossless.
    """

    min_seconds: float = 2.0
    max_seconds: float = 3.0
    idle_ratio: float = 1.0
    idle_margin_seconds: float = 0.5
    test_videos: int | float | None = None
    val_share: float = 0.1
    seed: int = 0
    detector: str = "background"
    detector_class: str | None = None
    detector_confidence: float = 0.4
    detector_images: ImageFormat = "jpeg"
    detect_every: int = DETECT_EVERY
    short_side: int | None = None
    crf: int = 16

    def __post_init__(self) -> None:
        if not 0 < self.min_seconds <= self.max_seconds:
            raise ValueError(
                "Clip lengths must satisfy 0 < min_seconds <= max_seconds, got "
                f"{self.min_seconds} and {self.max_seconds}."
            )
        for name in ("idle_ratio", "idle_margin_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        DetectorChoice.parse(self.detector)
        if not 0 <= self.detector_confidence <= 1:
            raise ValueError(
                f"detector_confidence must be within 0..1, got {self.detector_confidence}."
            )
        if not 1 <= self.detect_every <= MAX_DETECT_EVERY:
            raise ValueError(
                f"detect_every must be within 1..{MAX_DETECT_EVERY}, got {self.detect_every}."
            )
        if self.detector_images not in get_args(ImageFormat):
            raise ValueError(
                f"detector_images must be one of {', '.join(get_args(ImageFormat))}, "
                f"got {self.detector_images!r}."
            )
        if self.short_side is not None and self.short_side < 64:
            raise ValueError(f"short_side must be at least 64 px or null, got {self.short_side}.")
        if not 1 <= self.crf <= 51:
            raise ValueError(f"crf must be within 1..51, got {self.crf}.")

    def item_settings(self, split: Split) -> dict[str, Any]:
        """The settings that shape what is made of a video; a change makes it anew.

        Full-length videos (val and test) are copies with a track: nothing of the clips touches
        them.
        """
        if split is not Split.TRAIN:
            return {"detect_every": self.detect_every}
        # The detector counts by what it is, not by where it was found.
        not_shaping = {"test_videos", "val_share"} | {
            name for name in asdict(self) if name.startswith("detector")
        }
        return {name: value for name, value in asdict(self).items() if name not in not_shaping}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PreprocessConfig:
        """Build from overrides of the defaults.

        Raises:
            ValueError: on an unknown name, with the allowed ones, or a value of the wrong type.
        """
        return build_settings(cls, data, what="preprocess")
