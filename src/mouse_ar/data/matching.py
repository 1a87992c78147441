"""Which video of a project a name in a table means."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

from mouse_ar.data.project_layout import VIDEO_EXTENSIONS, ProjectVideo

__all__ = ["VideoMatch", "VideoMatcher"]


@dataclass(frozen=True)
class VideoMatch:
    """Result of a look-up.

    Args:
        video: the video, or None.
        candidates: several that fit equally well (ambiguous), or names like the one asked for.
        ambiguous: whether several fit.
    """

    video: ProjectVideo | None
    candidates: tuple[str, ...] = ()
    ambiguous: bool = False


class VideoMatcher:
    """Finds videos by path, file name or stem.

    The more folders of the name agree with the end of ``dataset/name``, the better the match, so
    both absolute paths of another computer and bare file names work. The file's extension may be
    missing or differ (a recording that was converted), but an equal one wins. Letter case, the
    kind of slash and the way accents are encoded do not matter.
    """

    def __init__(self, videos: Sequence[ProjectVideo]) -> None:
        self._by_stem: dict[str, list[tuple[ProjectVideo, tuple[str, ...]]]] = defaultdict(list)
        for video in videos:
            parts = _parts(video.key)
            self._by_stem[_stem(parts[-1])].append((video, parts))

    def find(self, name: str) -> VideoMatch:
        """The video meant by ``name``."""
        wanted = _parts(name)
        rivals = self._by_stem.get(_stem(wanted[-1]), []) if wanted else []
        scored = [(_score(wanted, parts), video) for video, parts in rivals]
        best = max((score for score, _ in scored), default=None)
        winners = [video for score, video in scored if score == best]
        if len(winners) == 1:
            return VideoMatch(video=winners[0])
        if winners:
            return VideoMatch(
                video=None, candidates=tuple(v.key for v in winners[:5]), ambiguous=True
            )
        close = (
            get_close_matches(_stem(wanted[-1]), self._by_stem, n=3, cutoff=0.5) if wanted else []
        )
        keys = [video.key for stem in close for video, _ in self._by_stem[stem]]
        return VideoMatch(video=None, candidates=tuple(keys[:3]))


def _parts(path: str) -> tuple[str, ...]:
    text = unicodedata.normalize("NFC", path.strip()).casefold()
    # A trailing "_" of a folder may come from the import of a plain folder.
    parts = [part for part in re.split(r"[\\/]+", text) if part not in {"", "."}]
    return (*(part.rstrip("_") for part in parts[:-1]), *parts[-1:])


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix in VIDEO_EXTENSIONS else name


def _score(wanted: tuple[str, ...], parts: tuple[str, ...]) -> tuple[int, bool]:
    """How many folders agree from the file upwards, and whether the extension agrees too."""
    folders = 0
    for one, other in zip(reversed(wanted[:-1]), reversed(parts[:-1]), strict=False):
        if one != other:
            break
        folders += 1
    return folders, wanted[-1] == parts[-1]
