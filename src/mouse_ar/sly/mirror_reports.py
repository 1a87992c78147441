"""What pulling and pushing did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mouse_ar.sly.batch import Failure

__all__ = ["PullReport", "PushReport"]


@dataclass
class PullReport:
    """What a pull did.

    Args:
        project: the project's name and number.
        folder: the mirror.
        videos: videos that are in it now.
        downloaded: video files that were fetched.
        downloaded_bytes: their size.
        annotations: annotations that changed.
        removed: videos removed, as they are gone from the instance.
        gone: videos gone from the instance that are still here.
        changed_here: videos whose annotation differs on both sides since the last pull; kept.
        failures: videos that could not be taken, each with the cause.
    """

    project: str
    folder: Path
    videos: int = 0
    downloaded: int = 0
    downloaded_bytes: int = 0
    annotations: int = 0
    removed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    changed_here: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def to_text(self) -> str:
        """The report as a person reads it."""
        lines = [
            f"{self.project} -> {self.folder}: {self.videos} videos; new or changed: "
            f"{self.downloaded} files ({self.downloaded_bytes / 1e6:.1f} MB), "
            f"{self.annotations} annotations"
        ]
        lines += [f"removed: {key}" for key in self.removed]
        if self.gone:
            lines.append(
                f"{len(self.gone)} videos are gone from the instance and still here (--prune "
                f"removes them): {', '.join(self.gone[:5])}"
            )
        lines += [
            f"kept: {key}: its annotation was changed here and on the instance. Push it, or pull "
            "with --overwrite"
            for key in self.changed_here
        ]
        return "\n".join([*lines, *(f"failed: {key}: {cause}" for key, cause in self.failures)])


@dataclass
class PushReport:
    """What a push did.

    Args:
        project: the project's name and number.
        project_id: its number.
        folder: what was pushed.
        videos: videos that are on the instance now.
        created: videos that were not there.
        uploaded: files whose bytes were sent; others the instance had already.
        added: tags and figures that were missing.
        removed: stale ones that were removed.
        notes: what should be looked at.
        failures: videos that could not be pushed, each with the cause.
    """

    project: str
    project_id: int
    folder: Path
    videos: int = 0
    created: int = 0
    uploaded: int = 0
    added: int = 0
    removed: int = 0
    notes: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def to_text(self) -> str:
        """The report as a person reads it."""
        lines = [
            f"{self.folder} -> {self.project}: {self.videos} videos, {self.created} new, "
            f"{self.uploaded} files sent; {self.added} tags and boxes added, "
            f"{self.removed} stale ones removed"
        ]
        lines += [f"Note: {note}" for note in self.notes]
        return "\n".join([*lines, *(f"failed: {key}: {cause}" for key, cause in self.failures)])
