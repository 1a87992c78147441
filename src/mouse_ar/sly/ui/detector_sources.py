"""Where detectors are found on an instance: running sessions, and checkpoints in Team Files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mouse_ar.sly.calls import within
from mouse_ar.sly.sessions import CALL_SECONDS, DetectorSession, list_sessions

if TYPE_CHECKING:
    from supervisely import Api

__all__ = ["CHECKPOINT_FOLDERS", "DetectorSources", "instance_sources", "list_checkpoints"]

# In this order: what a lab has put aside as its detector comes before every experiment.
CHECKPOINT_FOLDERS = ("/mouse-action-recognition/detector/", "/experiments/")
_SUFFIXES = (".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class DetectorSources:
    """What can be chosen from; each is called anew whenever the user asks for it.

    Args:
        sessions: running sessions with a model.
        checkpoints: paths in Team Files.
    """

    sessions: Callable[[], Sequence[DetectorSession]]
    checkpoints: Callable[[], Sequence[str]]


def instance_sources(api: Api, *, team_id: int) -> DetectorSources:
    """The detectors of a team."""
    return DetectorSources(
        sessions=lambda: list_sessions(api, team_id=team_id),
        checkpoints=lambda: list_checkpoints(api, team_id=team_id),
    )


def list_checkpoints(api: Api, *, team_id: int) -> list[str]:
    """Files in Team Files that may be a detector's checkpoint.

    Raises:
        DetectorUnavailableError: when the instance does not answer.
    """
    found: list[str] = []
    for folder in CHECKPOINT_FOLDERS:
        entries = within(
            CALL_SECONDS,
            lambda folder=folder: api.file.list(team_id, folder, recursive=True),  # type: ignore[misc]
            what=f"listing {folder} in Team Files",
        )
        paths = [str(entry["path"]) for entry in entries if not entry.get("isDir")]
        found += sorted(path for path in paths if _may_be_checkpoint(path))
    return list(dict.fromkeys(found))


def _may_be_checkpoint(path: str) -> bool:
    in_experiment = path.startswith("/experiments/")
    return path.endswith(_SUFFIXES) and ("/checkpoints/" in path or not in_experiment)
