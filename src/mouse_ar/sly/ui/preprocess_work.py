"""Preprocess, step 4: the run behind the page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.pipelines.preprocess import PreprocessReport
from mouse_ar.sly.claims import check_claim
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.preprocess_project import preprocess_project
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.opened_detector import opened_detector
from mouse_ar.sly.ui.picked_detector import PickedDetector
from mouse_ar.sly.ui.preprocess_form import Plan
from mouse_ar.sly.ui.preprocess_input import LoadedInput
from mouse_ar.sly.ui.progress_panel import Stage

__all__ = ["STAGES", "Job", "Result"]

STAGES = {
    "video": Stage("All videos", "videos"),
    "annotations": Stage("Reading labels", "videos"),
    "reading": Stage("Looking through the videos", "videos"),
    "fetching": Stage("Fetching", "MB"),
    "detecting": Stage("Finding the mouse", "frames"),
    "cutting": Stage("Cutting clips", "frames"),
}
_VIDEO = re.compile(r"video (\d+)/(\d+) ")
_MEGABYTE = 1_000_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Result:
    """What a run left.

    Args:
        target: the Training Data project.
        report: of the pipeline.
    """

    target: RemoteProject
    report: PreprocessReport


@dataclass(frozen=True)
class Job:
    """A run, with all that it needs from the page.

    Args:
        context: of the app.
        connection: to its instance.
        loaded: the input.
        datasets: those of it to look at; none stands for all.
        detector: as picked.
        plan: as set.
        folder: for files while it runs; made anew, removed at the end.
    """

    context: AppContext
    connection: Connection
    loaded: LoadedInput
    datasets: tuple[str, ...]
    detector: PickedDetector
    plan: Plan
    folder: Path

    def run(self, progress: Progress) -> Result:
        """Do it.

        Args:
            progress: called with (what, done, total); what it raises ends the run.

        Raises:
            BusyError: another run writes to the project.
            DetectorSetupError: there is no such detector.
            TransferError: the instance failed.
            ValueError: the target holds something else.
        """
        # Files of a run that was killed may be of videos that have changed since.
        shutil.rmtree(self.folder, ignore_errors=True)
        source = self.loaded.source
        try:
            with opened_detector(
                self.detector,
                context=self.context,
                connection=self.connection,
                team_id=self.loaded.team_id,
                workspace_id=source.workspace_id,
                folder=self.folder / "detector",
            ) as detector:
                # Last: without a detector or a name that is free, no project is made.
                target = self._target()
                report = preprocess_project(
                    source,
                    target,
                    team_id=self.loaded.team_id,
                    work=self.folder,
                    actions=self.loaded.actions,
                    config=self.plan.config,
                    detector=detector,
                    datasets=self.datasets,
                    remove_deleted=self.plan.remove_deleted,
                    progress=_shown(progress),
                )
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        count = max(1, len(report.processed) + len(report.failures))
        progress("video", count, count)
        return Result(target, report)

    def _target(self) -> RemoteProject:
        target = RemoteProject.get_or_create(
            self.connection,
            self.plan.target,
            workspace_id=self.loaded.source.workspace_id,
            actions=self.loaded.actions,
        )
        check_claim(self.loaded.source, target, kind="training-data")
        return target


def _shown(progress: Progress) -> Progress:
    """What the pipeline tells, in the units of :data:`STAGES`."""

    def tell(what: str, done: int, total: int) -> None:
        number = _VIDEO.match(what)
        if number is not None:  # one bar for all videos, so that it shows the remaining time
            progress("video", int(number[1]) - 1, int(number[2]))
        elif what.startswith("fetching "):
            progress(what, -(-done // _MEGABYTE), -(-total // _MEGABYTE))
        elif what.startswith("reading "):
            progress("reading", done, total)
        elif total:  # a new project has no labels to read
            progress(what, done, total)

    return tell
