"""Lengths of videos, kept in Team Files: to count the frames of one it has to be fetched."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mouse_ar.pipelines.media import VideoFacts
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.kept_values import KeptValues

__all__ = ["KeptFacts", "KnownFacts"]

# Raise it when probing counts otherwise.
_VERSION = 1


class KnownFacts:
    """Facts of videos by their content, for as long as a run lasts."""

    def __init__(self) -> None:
        self._known: dict[str, VideoFacts] = {}

    def get(self, sha256: str) -> VideoFacts | None:
        """What is known of a content."""
        return self._known.get(sha256)

    def note(self, sha256: str, facts: VideoFacts) -> None:
        """Remember it."""
        self._known[sha256] = facts


class KeptFacts(KnownFacts):
    """Those of earlier runs too, also of one that was cut off; see :class:`KeptValues`."""

    def __init__(self, connection: Connection, path: str, local: Path, *, team_id: int) -> None:
        super().__init__()
        self._kept = KeptValues(connection, path, local, team_id=team_id)

    def fetch(self) -> None:
        """Get what earlier runs have found; what another version has counted does not count."""
        self._kept.fetch()
        for sha256, value in self._kept.values.items():
            try:
                if value["version"] == _VERSION:
                    facts = VideoFacts(
                        int(value["num_frames"]), float(value["fps"]), tuple(value["warnings"])
                    )
                    super().note(sha256, facts)
            except (KeyError, TypeError, ValueError):
                continue

    def note(self, sha256: str, facts: VideoFacts) -> None:
        """Remember it at once: the next video may be the one that a run does not come to.

        Raises:
            TransferError: the instance failed.
        """
        super().note(sha256, facts)
        self._kept.values[sha256] = {"version": _VERSION, **asdict(facts)}
        self._kept.store()
