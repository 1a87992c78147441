"""The empty arena under the light of a frame.

A lamp that flickers or dims changes the whole picture by one factor; one that is switched on beside
the arena, or daylight, changes it by a factor that varies smoothly over the picture. Either is
fitted robustly, so that an animal does not count.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["gain", "match_light"]

Image = NDArray[Any]  # uint8; OpenCV's stubs know no element type
Floats = NDArray[np.float64]

# A pixel darker than this tells little about the gain of the light, a brighter one is saturated.
_DARK, _BRIGHT = 20, 250
# Light is judged on blocks of so many pixels.
_BLOCK = 8
# Least share of the blocks that is neither dark nor saturated.
_LEAST_LIT = 0.4
# Gains that differ by less than this are the same (logarithm).
_SAME = 0.01
# Deviations of the blocks from one gain that a smooth field has to explain (logarithm): least
# size, and the part of it that has to go.
_UNEVEN, _EXPLAINED = 0.03, 0.4
# Tukey's biweight: blocks further off than this many standard deviations do not count.
_TUKEY, _MAD_TO_SIGMA, _ROUNDS = 4.7, 1.4826, 8


def match_light(background_HWC: Image, *, frame_HWC: Image) -> Image:
    """The background under the light of a frame.

    The animal is ignored as long as it covers less than half of the picture. Where most of the
    picture is black (infrared), light cannot be told from the animal's motion: unchanged.
    """
    factor = gain(background_HWC, frame_HWC=frame_HWC)
    if isinstance(factor, float):
        return (
            background_HWC if factor == 1.0 else cv2.convertScaleAbs(background_HWC, alpha=factor)
        )
    return np.asarray(cv2.multiply(background_HWC, cv2.merge([factor] * 3), dtype=cv2.CV_8U))


def gain(background_HWC: Image, *, frame_HWC: Image) -> float | NDArray[np.float32]:
    """Brightness of a frame relative to the background: one factor, or (H, W) where it varies."""
    before_hw, after_hw = _blocks(background_HWC), _blocks(frame_HWC)
    lit_hw = (before_hw > _DARK) & (before_hw < _BRIGHT) & (after_hw < _BRIGHT)
    if lit_hw.mean() < _LEAST_LIT:
        return 1.0
    ratios = np.log(np.maximum(after_hw[lit_hw], 1.0) / before_hw[lit_hw]).astype(np.float64)
    level = float(np.median(ratios))
    spread = _spread(ratios - level)
    flat = 1.0 if abs(level) < _SAME else float(np.exp(level))
    if spread < _UNEVEN:
        return flat
    terms_hwK = _terms(before_hw.shape)
    weights_K = _robust_fit(terms_hwK[lit_hw], ratios)
    if _spread(ratios - terms_hwK[lit_hw] @ weights_K) > (1 - _EXPLAINED) * spread:
        return flat
    field_hw = np.exp(terms_hwK @ weights_K).astype(np.float32)
    height, width = frame_HWC.shape[:2]
    return np.asarray(cv2.resize(field_hw, (width, height)), dtype=np.float32)


def _blocks(image_HWC: Image) -> NDArray[np.float32]:
    """Mean grey level of blocks of the picture: (h, w)."""
    height, width = (max(1, side // _BLOCK) for side in image_HWC.shape[:2])
    gray_HW = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY)
    small_hw = cv2.resize(gray_HW, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small_hw, dtype=np.float32)


def _terms(shape: tuple[int, ...]) -> Floats:
    """A quadratic surface: constant, slopes and curvatures, (h, w, 6)."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _robust_fit(terms_NK: Floats, values_N: Floats) -> Floats:
    """Coefficients by iteratively re-weighted least squares."""
    residual_N: NDArray[Any] = np.subtract(values_N, np.median(values_N))
    fit_K: NDArray[Any] = np.zeros(terms_NK.shape[1])
    for _ in range(_ROUNDS):
        reach = _TUKEY * max(_spread(residual_N), _SAME)
        weight_N = np.maximum(0.0, 1.0 - (residual_N / reach) ** 2)
        fit_K = np.linalg.lstsq(terms_NK * weight_N[:, None], values_N * weight_N, rcond=None)[0]
        residual_N = np.subtract(values_N, terms_NK @ fit_K)
    return fit_K


def _spread(residual_N: Floats) -> float:
    return _MAD_TO_SIGMA * float(np.median(np.abs(residual_N)))
