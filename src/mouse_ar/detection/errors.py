"""How a detector that does not run in this process may fail."""

from __future__ import annotations

__all__ = ["DetectorRefusedError", "DetectorSetupError", "DetectorUnavailableError"]


class DetectorUnavailableError(RuntimeError):
    """The service cannot be used (any more): no video can be detected until that is put right.

    It is no :data:`~mouse_ar.video.failures.VIDEO_FAILURES`, so that it ends a run over many videos
    instead of being told of each; what is finished by then is kept.
    """


class DetectorRefusedError(ValueError):
    """The service does not take these frames; those of another video it may take."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class DetectorSetupError(ValueError):
    """The detector was asked for in a way it cannot serve: class, confidence, kind."""
