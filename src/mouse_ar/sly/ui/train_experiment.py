"""The step in which an experiment gets its name."""

from __future__ import annotations

from supervisely.app.widgets import Container, Field, Input, Widget

from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.ui.widgets import Notes

__all__ = ["ExperimentStep"]

_LONGEST_NAME = 100


class ExperimentStep:
    """Widgets: ``experiment_name`` (input), ``experiment_where`` (notes)."""

    def __init__(self) -> None:
        self._name = Input("", placeholder="Grooming, 12 videos", widget_id="experiment_name")
        self._where = Notes("experiment_where")
        named = Field(self._name, title="Name", widget_id="experiment_name_field")
        self.layout: Widget = Container(
            [named, self._where], gap=10, widget_id="experiment_content"
        )

    @property
    def name(self) -> str:
        """As entered."""
        return str(self._name.get_value() or "").strip()

    @name.setter
    def name(self, name: str) -> None:
        self._name.set_value(name)

    def propose(self, project: RemoteProject, *, preset: str) -> None:
        """Fill in a name where there is none, and say where the artifacts go."""
        if not self.name:
            self.name = f"{project.name} {preset}"[:_LONGEST_NAME]
        self._where.set(
            f"Checkpoints and report go to /experiments/{project.id}_{project.name}/ in Team "
            "Files, where Infer Mouse Actions finds them."
        )

    def check(self) -> str | None:
        """What is wrong with the name, if anything."""
        if not self.name:
            return "Give the experiment a name."
        if len(self.name) > _LONGEST_NAME:
            return f"The name has {len(self.name)} characters; at most {_LONGEST_NAME} are allowed."
        return None

    def summary(self) -> str:
        """The choice in a line."""
        return f"Experiment “{self.name}”."
