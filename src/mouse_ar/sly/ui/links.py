"""Links and logs, shown as text: nothing in them becomes part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mouse_ar.sly.ui.widgets import TemplateWidget

__all__ = ["Links", "LogTail"]

_ALLOWED = ("https://", "http://", "/")


class Links(TemplateWidget):
    """Links under each other, each with a few words.

    Args:
        widget_id: fixed id; ``data.<id>.links`` is a list of ``{text, url, about}``.
    """

    TEMPLATE = """
<div v-if="$DATA.links.length" class="mouse-links"
     style="display: flex; flex-direction: column; gap: 4px; line-height: 1.4">
  <div v-for="(link, index) in $DATA.links" :key="index">
    <a v-if="link.url" :href="link.url" target="_blank" rel="noopener">{{ link.text }}</a>
    <span v-else>{{ link.text }}</span>
    <span style="color: #475669">{{ link.about }}</span>
  </div>
</div>"""

    def __init__(self, widget_id: str) -> None:
        self._links: list[dict[str, str]] = []
        super().__init__(widget_id)

    def show(self, links: Sequence[tuple[str, str, str]]) -> None:
        """Replace all links.

        Args:
            links: text, address (empty for none) and a few words on each.
        """
        for _, url, _ in links:
            if url and not url.startswith(_ALLOWED):
                raise ValueError(f"Expected an address on the web, got {url!r}.")
        self._links = [{"text": text, "url": url, "about": about} for text, url, about in links]
        self.publish()

    def get_json_data(self) -> dict[str, Any]:
        """The links."""
        return {"links": list(self._links)}


class LogTail(TemplateWidget):
    """The last lines of a log, the newest at the bottom.

    Args:
        widget_id: fixed id; ``data.<id>.lines`` holds the lines.
        most: lines kept.
    """

    TEMPLATE = """
<div v-if="$DATA.lines.length" class="mouse-log" style="font-family: monospace; font-size: 12px;
     line-height: 1.5; max-height: 260px; overflow: auto; background: #f6f8fa; padding: 8px 10px;
     border-radius: 4px; display: flex; flex-direction: column-reverse">
  <div><div v-for="(line, index) in $DATA.lines" :key="index"
    style="white-space: pre-wrap">{{ line }}</div></div>
</div>"""

    def __init__(self, widget_id: str, *, most: int = 60) -> None:
        self._lines: list[str] = []
        self._most = most
        super().__init__(widget_id)

    def show(self, lines: Sequence[str]) -> None:
        """Replace all lines; the last ones are shown."""
        self._lines = list(lines[-self._most :])
        self.publish()

    def get_json_data(self) -> dict[str, Any]:
        """The lines."""
        return {"lines": list(self._lines)}
