"""Properties of something with their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mouse_ar.sly.ui.widgets import TemplateWidget

__all__ = ["Facts"]


class Facts(TemplateWidget):
    """Properties of something, one a line; hidden while there are none.

    Args:
        widget_id: fixed id; ``data.<id>.facts`` is a list of ``{name, value}``.
    """

    TEMPLATE = """
<table v-if="$DATA.facts.length" class="mouse-facts" style="line-height: 1.5">
  <tr v-for="fact in $DATA.facts" :key="fact.name">
    <td style="color: #475669; padding-right: 18px; vertical-align: top">{{ fact.name }}</td>
    <td style="overflow-wrap: anywhere">{{ fact.value }}</td>
  </tr>
</table>"""

    def __init__(self, widget_id: str) -> None:
        self._facts: list[dict[str, str]] = []
        super().__init__(widget_id)

    def get_json_data(self) -> dict[str, Any]:
        """The properties."""
        return {"facts": list(self._facts)}

    def show(self, facts: Mapping[str, object]) -> None:
        """Replace what is shown."""
        self._facts = [{"name": name, "value": str(value)} for name, value in facts.items()]
        self.publish()
