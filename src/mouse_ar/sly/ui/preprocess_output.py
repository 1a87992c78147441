"""Preprocess, step 5: what a run has made."""

from __future__ import annotations

from collections.abc import Sequence

from supervisely.app.widgets import Container, Widget

from mouse_ar.core.splitting import Split
from mouse_ar.report.runs import preprocess_headline
from mouse_ar.sly.ui.preprocess_work import Result
from mouse_ar.sly.ui.project_card import ProjectCard
from mouse_ar.sly.ui.tables import RowsTable
from mouse_ar.sly.ui.widgets import Notes

__all__ = ["OutputPanel"]

_WHOLE = {Split.TEST.value: "whole test videos", Split.VAL.value: "whole validation videos"}


class OutputPanel:
    """Widgets of the step: ``output_project``, ``output_summary`` and ``output_warnings`` (notes)
    and ``output_datasets`` (table).
    """

    def __init__(self) -> None:
        self._project = ProjectCard("output_project")
        self._summary = Notes("output_summary")
        self._table = RowsTable("output_datasets", ["Dataset", "Holds", "Videos", "Frames"])
        self._warnings = Notes("output_warnings")
        self.layout: Widget = Container(
            [self._project, self._summary, self._table.layout, self._warnings],
            gap=15,
            widget_id="output_panel",
        )

    def clear(self) -> None:
        """Show nothing, while a run goes on."""
        self._project.show(None)
        self._summary.set("")
        self._table.show([])
        self._warnings.set("")

    def show(self, result: Result, warnings: Sequence[str]) -> None:
        """Show what there is now."""
        report = result.report
        clips = sum(n for name, n in report.clips.items() if name not in _WHOLE)
        whole = sum(n for name, n in report.clips.items() if name in _WHOLE)
        self._project.show(
            result.target,
            f"Training Data: {clips} clips, {whole} whole videos. Start the app “Train Mouse "
            "Action Recognition” from the menu of this project.",
        )
        splits = ", ".join(f"{report.splits[s.value]} {s.value}" for s in Split)
        lines = [preprocess_headline(report), f"Videos of the input per split: {splits}."]
        self._summary.set_list(lines, "warning" if report.failures else "success")
        names = [*result.target.actions.datasets, *_WHOLE]
        names += sorted(set(report.clips) - set(names))
        rows: list[list[str | int | float | None]] = [
            [name, _WHOLE.get(name, "clips"), report.clips[name], report.frames[name]]
            for name in names
        ]
        self._table.show(rows)
        self._warnings.set_list(warnings)
