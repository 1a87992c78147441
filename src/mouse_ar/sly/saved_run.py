"""What an app keeps of a training on disk, so that a new process can go on with it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mouse_ar.data.files import read_json, write_json
from mouse_ar.sly.train_request import TrainRequest

__all__ = ["RunStatus", "RunStore", "SavedRun"]

_LOG = logging.getLogger(__name__)
# unfinished: cut off or failed; stopped: by its user, evaluated; done: to its last epoch.
RunStatus = Literal["unfinished", "stopped", "done"]
_STATUSES = ("unfinished", "stopped", "done")


@dataclass(frozen=True)
class SavedRun:
    """A training and how far it has come.

    Args:
        request: what was asked for.
        project_id: Training Data.
        folder: of the run, for :func:`~mouse_ar.sly.train_project.train_project`.
        status: see :data:`RunStatus`.
    """

    request: TrainRequest
    project_id: int
    folder: Path
    status: RunStatus = "unfinished"

    @property
    def events(self) -> Path:
        """Folder for :func:`~mouse_ar.training.launch.read_events`."""
        return self.folder / "run"


class RunStore:
    """The last training of an app; earlier ones are removed, their artifacts are in Team Files.

    Args:
        folder: of the app, which outlives its process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._record = folder / "run.json"

    @property
    def data(self) -> Path:
        """Mirror of the project, shared by all runs."""
        return self._folder / "data"

    @property
    def overview(self) -> Path:
        """Mirror of the project without videos."""
        return self._folder / "overview"

    @property
    def weights(self) -> Path:
        """Public weights, shared by all runs."""
        return self._folder / "weights"

    def last(self) -> SavedRun | None:
        """The last run; None where there is none, or nobody can read it any more."""
        try:
            record = read_json(self._record)
            status = record["status"]
            if status not in _STATUSES:
                raise ValueError(f"unknown status {status!r}")
            return SavedRun(
                request=TrainRequest.from_dict(record["request"]),
                project_id=int(record["project_id"]),
                folder=self._folder / "runs" / Path(str(record["folder"])).name,
                status=status,
            )
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            _LOG.warning("The last training cannot be read and is left alone: %s", error)
            return None

    def begin(self, request: TrainRequest, *, project_id: int) -> SavedRun:
        """Keep a new run, in a folder of its own."""
        runs = self._folder / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        earlier = [path for path in runs.iterdir() if path.name.isdigit()]
        number = max((int(path.name) for path in earlier), default=0) + 1
        run = SavedRun(request, project_id, runs / f"{number:04d}")
        run.folder.mkdir()
        self._write(run)
        for path in earlier:
            shutil.rmtree(path, ignore_errors=True)
        return run

    def finish(self, run: SavedRun, status: RunStatus) -> SavedRun:
        """Keep how a run ended."""
        ended = replace(run, status=status)
        self._write(ended)
        return ended

    def _write(self, run: SavedRun) -> None:
        record = {
            "status": run.status,
            "project_id": run.project_id,
            "folder": run.folder.name,
            "request": run.request.to_dict(),
        }
        write_json(self._record, record, indent=1)
