"""How dark the shadow is that an animal casts, learnt from a whole video.

A lamp's shadow takes the same share of the light wherever the animal goes, and a coat takes more
and varies with the pose. So among all pixels of the animal's regions, a shadow is a narrow peak
with a gap above it.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.detection.segmentation import Blob, body_box

__all__ = ["shadow_limit"]

_BINS = 40
# A region's rim is a blend of animal and floor.
_RIM = np.ones((5, 5), np.uint8)
# A peak of shadow spreads over so many bins to either side, and holds at least this part of all
# that is weaker than the animal; parts of the animal itself (ears, flanks) spread further.
_PEAK, _NARROW = 2, 0.4
# Regions in fewer frames than this tell nothing.
_LEAST_BLOBS = 5
# A shadow is weaker than this share of the animal itself (80th percentile); a gap above it parts
# darker from lighter parts of a coat.
_WEAKER = 0.88
# The gap is this much emptier than the peaks on both sides. That of the shadow holds a share of
# all pixels in its highest bin (scattered rims have no peak), the animal above the gap another.
_GAP, _LEAST_SHADOW, _LEAST_ANIMAL = 0.5, 0.025, 0.3


# The body's box without the shadow has at most this part of the area with it. A contact shadow
# hardly widens the box, and darker and lighter parts of a coat look like one: nothing to gain.
_SMALLER = 0.8


def shadow_limit(blobs: Iterable[Blob]) -> float | None:
    """Share of the light that a shadow takes at most, or None where none is told apart.

    Args:
        blobs: the animal's regions in many frames; those of a light animal do not count.
    """
    darker = [blob for blob in blobs if blob.is_darker]
    if len(darker) < _LEAST_BLOBS:
        return None
    shares_P = np.concatenate(
        [blob.strength_HW[cv2.erode(blob.mask_HW, _RIM) > 0] for blob in darker]
    )
    if not len(shares_P):
        return None
    counts, edges = np.histogram(shares_P, bins=_BINS, range=(0.0, 1.0))
    density = np.convolve(counts, (0.25, 0.5, 0.25), "same") / len(shares_P)
    limit = _first_gap(density, edges)
    if limit is None or limit >= _WEAKER * float(np.percentile(shares_P, 80)):
        return None
    smaller = [body_box(blob, shadow=limit).area / body_box(blob).area for blob in darker]
    return limit if float(np.median(smaller)) <= _SMALLER else None


def _first_gap(density: NDArray[np.float64], edges: NDArray[np.float64]) -> float | None:
    """The lowest gap between two peaks."""
    for gap in range(1, _BINS - 1):
        below, above = density[:gap], density[gap + 1 :]
        if (
            density[gap] < _GAP * min(below.max(), above.max())
            and _is_narrow(below)
            and below.max() >= _LEAST_SHADOW
            and above.sum() >= _LEAST_ANIMAL
        ):
            return float(edges[gap + 1])
    return None


def _is_narrow(density: NDArray[np.float64]) -> bool:
    """Whether most of it is one peak."""
    peak = int(density.argmax())
    return bool(density[max(0, peak - _PEAK) : peak + _PEAK + 1].sum() >= _NARROW * density.sum())
