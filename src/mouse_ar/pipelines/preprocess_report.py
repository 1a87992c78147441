"""What a run of preprocessing did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mouse_ar.core.manifest import Manifest
from mouse_ar.pipelines.scan import Scan

__all__ = ["PreprocessReport"]


@dataclass
class PreprocessReport:
    """What a run did.

    Args:
        processed: keys of the videos that were (re)made in this run.
        unchanged: number of videos that were already in place.
        removed: keys whose clips were removed because the source is gone.
        gone: keys whose source is gone but whose clips were kept.
        failures: cause by key; these videos contribute nothing yet.
        splits: videos per split.
        clips: items per dataset.
        frames: frames per dataset.
        scan: what the input holds.
    """

    scan: Scan
    processed: list[str] = field(default_factory=list)
    unchanged: int = 0
    removed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    splits: Counter[str] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)

    def count(self, manifest: Manifest) -> None:
        """Count what the project holds."""
        for entry in manifest.entries.values():
            self.splits[entry.split.value] += 1
            for item in entry.items:
                self.clips[item.dataset] += 1
                self.frames[item.dataset] += item.interval.length
