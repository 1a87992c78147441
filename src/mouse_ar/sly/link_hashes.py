"""Hashes of linked videos, kept in Team Files: an instance knows none, each costs a download."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.kept_values import KeptValues
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["KeptLinkHashes", "LinkHashes"]


class LinkHashes:
    """SHA-256 of linked videos; one that was linked anew, or elsewhere, is another video.

    A file that is replaced behind its link is noticed when it is fetched the next time, see
    :class:`~mouse_ar.sly.media.RemoteMedia`.

    Args:
        known: values to begin with, and where new ones are noted.
    """

    def __init__(self, known: MutableMapping[str, Any] | None = None) -> None:
        self._known = {} if known is None else known

    def get(self, video: RemoteVideo) -> str | None:
        """What is known of a video, hexadecimal."""
        found = self._known.get(_name(video))
        return None if found is None else str(found)

    def note(self, video: RemoteVideo, sha256: str) -> None:
        """Remember one."""
        self._known[_name(video)] = sha256


class KeptLinkHashes(LinkHashes):
    """Those of earlier runs too; see :class:`~mouse_ar.sly.kept_values.KeptValues`."""

    def __init__(self, connection: Connection, path: str, local: Path, *, team_id: int) -> None:
        kept = KeptValues(connection, path, local, team_id=team_id)
        super().__init__(kept.values)
        self.fetch, self.store = kept.fetch, kept.store


def _name(video: RemoteVideo) -> str:
    return f"{video.id} {video.link}"
