"""A project of the instance as a link with a line about it."""

from __future__ import annotations

from typing import Any

from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.ui.widgets import TemplateWidget

__all__ = ["ProjectCard"]


class ProjectCard(TemplateWidget):
    """Name, link and a line of text; the SDK's thumbnail breaks where a project has no picture.

    Args:
        widget_id: fixed id; ``data.<id>`` has ``id``, ``name``, ``url`` and ``text``, and ``id``
            is None while there is no project.
    """

    TEMPLATE = """
<div v-if="$DATA.id" class="mouse-project" style="display: flex; gap: 10px; align-items: center">
  <i class="zmdi zmdi-folder-star" style="font-size: 26px; color: #3B96FF"></i>
  <div style="line-height: 1.4">
    <a :href="$DATA.url" target="_blank"><b>{{ $DATA.name }}</b></a>
    <div style="color: #475669; font-size: 13px">{{ $DATA.text }}</div>
  </div>
</div>"""

    def __init__(self, widget_id: str) -> None:
        self._shown: dict[str, Any] = {"id": None, "name": "", "url": "", "text": ""}
        super().__init__(widget_id)

    def get_json_data(self) -> dict[str, Any]:
        """What is shown."""
        return dict(self._shown)

    def show(self, project: RemoteProject | None, text: str = "") -> None:
        """Show a project, or nothing."""
        if project is None:
            self._shown = {"id": None, "name": "", "url": "", "text": ""}
        else:
            url = f"{project.connection.server}/projects/{project.id}/datasets"
            self._shown = {"id": project.id, "name": project.name, "url": url, "text": text}
        self.publish()
