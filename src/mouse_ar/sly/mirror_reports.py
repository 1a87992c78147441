"""What pulling and pushing did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from mouse_ar.sly.batch import Failure

__all__ = ["PullReport", "PushReport"]

_MOST_GONE = 5


@dataclass
class _Report(ABC):
    """What both have in common.

    Args:
        project: the project's name and number.
        folder: the local project.
        videos: videos that are in place now.
        failures: videos that could not be moved, each with the cause.
    """

    project: str
    folder: Path
    videos: int = 0
    failures: list[Failure] = field(default_factory=list)

    def to_text(self) -> str:
        """The report as a person reads it."""
        failed = [f"failed: {key}: {cause}" for key, cause in self.failures]
        return "\n".join([*self._lines(), *failed])

    @abstractmethod
    def _lines(self) -> list[str]:
        """All that does not tell of failures."""


@dataclass
class PullReport(_Report):
    """What a pull did.

    Args:
        downloaded: video files that were fetched.
        downloaded_bytes: their size.
        annotations: annotations that changed.
        removed: videos removed, as they are gone from the instance.
        gone: videos gone from the instance that are still here.
        changed_here: videos whose annotation differs on both sides since the last pull; kept.
    """

    downloaded: int = 0
    downloaded_bytes: int = 0
    annotations: int = 0
    removed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    changed_here: list[str] = field(default_factory=list)

    def _lines(self) -> list[str]:
        lines = [
            f"{self.project} -> {self.folder}: {self.videos} videos; new or changed: "
            f"{self.downloaded} files ({self.downloaded_bytes / 1e6:.1f} MB), "
            f"{self.annotations} annotations"
        ]
        lines += [f"removed: {key}" for key in self.removed]
        if self.gone:
            lines.append(
                f"{len(self.gone)} videos are gone from the instance and still here (--prune "
                f"removes them): {', '.join(self.gone[:_MOST_GONE])}"
            )
        return lines + [
            f"kept: {key}: its annotation was changed here and on the instance. Push it, or pull "
            "with --overwrite"
            for key in self.changed_here
        ]


@dataclass
class PushReport(_Report):
    """What a push did.

    Args:
        project_id: number of the project.
        created: videos that were not there.
        uploaded: files whose bytes were sent; others the instance had already.
        added: tags and figures that were missing.
        removed: stale ones that were removed.
        notes: what should be looked at.
    """

    project_id: int = field(kw_only=True)
    created: int = 0
    uploaded: int = 0
    added: int = 0
    removed: int = 0
    notes: list[str] = field(default_factory=list)

    def _lines(self) -> list[str]:
        return [
            f"{self.folder} -> {self.project}: {self.videos} videos, {self.created} new, "
            f"{self.uploaded} files sent; {self.added} tags and boxes added, "
            f"{self.removed} stale ones removed",
            *(f"Note: {note}" for note in self.notes),
        ]
