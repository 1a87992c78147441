"""Reproducible chance that depends on a seed and a name, never on the order of a list."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["rng_for"]


def rng_for(seed: int, *, key: str) -> np.random.Generator:
    """A generator of its own for one named thing (a video, a group).

    Its numbers are the same on every machine and in every process, whatever else exists beside
    the named thing (Python's own ``hash`` of a string differs from process to process).

    Args:
        seed: the run's seed.
        key: name of the thing, e.g. the key of a video.
    """
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
