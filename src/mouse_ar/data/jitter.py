"""Random choice of what a training window shows: how its frames are spaced, and its square.

These need the video and are made where frames are loaded. What can be done to the pixels of a
whole batch at once is in :mod:`mouse_ar.data.augment`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mouse_ar.core.cropping import CropBox
from mouse_ar.core.types import ClipSpec, Window
from mouse_ar.core.windows import window_at

__all__ = ["WindowJitter"]


@dataclass(frozen=True)
class WindowJitter:
    """Random changes of one window, the same for all of its frames.

    Args:
        crop: shift and scale of the square, share of its side, 0..1.
        step: largest change of the step between frames, share of it, 0..1.
    """

    crop: float = 0.0
    step: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop", "step"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(
                    f"WindowJitter.{name} must be within [0, 1), got {getattr(self, name)}."
                )

    def square(
        self, crop: CropBox, *, keep: CropBox, width: int, height: int, rng: np.random.Generator
    ) -> CropBox:
        """Shift and scale a window's square; what must be seen stays in view.

        Args:
            crop: the square as inference cuts it.
            keep: square around the union of the window's boxes (crop without padding); it stays
                inside, so the head is never cut off.
            width: image width in pixels.
            height: image height in pixels.
            rng: three numbers are drawn, whatever the setting.

        Returns:
            A square that holds ``keep`` and stays inside the image where it fits.
        """
        dx, dy, scale = rng.uniform(-self.crop, self.crop, size=3)
        if self.crop == 0:
            return crop
        side = max(keep.side, round(crop.side * (1 + scale)))
        middle = (crop.side - side) / 2
        return CropBox(
            left=_place(
                crop.left + middle + dx * crop.side,
                side=side,
                keep=(keep.left, keep.right),
                size=width,
            ),
            top=_place(
                crop.top + middle + dy * crop.side,
                side=side,
                keep=(keep.top, keep.bottom),
                size=height,
            ),
            side=side,
        )

    def steps(self, sampling_rate: int) -> range:
        """Steps between frames that may be drawn, in frames.

        Whole ones only: a fraction would make the mouse stutter, which no video does. So there is
        a choice from ``sampling_rate >= 1 / step`` on.
        """
        # 1e-9: 4 * 1.25 is 5, whatever the rounding of the product.
        low = int(np.ceil(sampling_rate * (1 - self.step) - 1e-9))
        high = int(np.floor(sampling_rate * (1 + self.step) + 1e-9))
        return range(max(1, low), high + 1)

    def window(
        self, window: Window, *, num_frames: int, spec: ClipSpec, rng: np.random.Generator
    ) -> Window:
        """Another step between frames around the same centre.

        One that would reach over the edge of the clip, where the given window does not, is not
        taken: there are no real frames.

        Args:
            window: as drawn by the sampler.
            num_frames: frames of the clip.
            spec: the clip's.
            rng: one number is drawn, whatever the setting.
        """
        steps = self.steps(spec.sampling_rate)
        step = steps[int(rng.random() * len(steps))]
        if step == spec.sampling_rate:
            return window
        other = replace(spec, sampling_rate=step)
        start = window.interval.start + (spec.window_frames - other.window_frames) // 2
        if start < min(0, window.interval.start) or start + other.window_frames > max(
            num_frames, window.interval.stop
        ):
            return window
        return window_at(start, num_frames=num_frames, spec=other)


def _place(at: float, *, side: int, keep: tuple[int, int], size: int) -> int:
    """First pixel in one dimension, as near to ``at`` as ``keep`` and the image allow."""
    low, high = keep[1] - side, keep[0]
    if side <= size:
        low, high = max(low, 0), min(high, size - side)
    elif keep[1] - keep[0] <= size:
        # Larger than the image: the image is what it shows, wherever the bars around it are.
        low, high = max(low, size - side), min(high, 0)
    return int(min(max(round(at), low), high))
