"""Errors of the RT-DETRv2 package."""

from __future__ import annotations

__all__ = ["CheckpointError"]


class CheckpointError(ValueError):
    """A detector that cannot be used; the message names the file, the cause and the way out."""
