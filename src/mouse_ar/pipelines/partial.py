"""What is done of a long video, so that a run that is killed does not begin it anew."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.detection.online import LookLog

__all__ = ["LONG_VIDEO_SECONDS", "SAVE_SECONDS", "PartialScores", "PartialStore"]

# Shorter videos are simply done again.
LONG_VIDEO_SECONDS = 600.0
# A kill loses at most so much work.
SAVE_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class PartialScores:
    """The state of a video.

    Args:
        scores_NK: probabilities of the windows of the plan, NaN where they are not known yet.
        log: where the mouse was looked for.
    """

    scores_NK: NDArray[np.float32]
    log: LookLog


class PartialStore:
    """One file; it is replaced as a whole, and one that cannot be used counts as none.

    Args:
        path: ``.npz`` file.
        header: plain values that identify what the scores are made from.
    """

    def __init__(self, path: Path, *, header: Mapping[str, Any]) -> None:
        self.path = path
        self._header = json.dumps(header, sort_keys=True)

    def load(self, *, windows: int) -> PartialScores | None:
        """What an earlier run has left, if it was made from the same.

        Args:
            windows: of the plan.
        """
        try:
            with np.load(self.path, allow_pickle=False) as data:
                if str(data["header"]) != self._header or len(data["scores_NK"]) != windows:
                    return None
                return PartialScores(data["scores_NK"], LookLog.restored(data))
        except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def save(self, partial: PartialScores) -> None:
        """Replace the file."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {
            "scores_NK": partial.scores_NK,
            "header": np.array(self._header),
            **partial.log.arrays(),
        }
        np.savez_compressed(buffer, **arrays)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(self.path)

    def clear(self) -> None:
        """Remove the file, once the video is done."""
        self.path.unlink(missing_ok=True)
