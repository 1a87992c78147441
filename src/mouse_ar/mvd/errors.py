"""Errors of the MVD package."""

from __future__ import annotations

__all__ = ["CheckpointError"]


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file, the cause and the way out."""
