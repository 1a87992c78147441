"""Errors of the RT-DETRv2 package."""

from __future__ import annotations

__all__ = ["CheckpointError", "DetectorFailedError"]


class CheckpointError(ValueError):
    """A detector that cannot be used; the message names the file, the cause and the way out."""


class DetectorFailedError(ValueError):
    """The network has no answer for these frames; it may have one for those of another video."""
