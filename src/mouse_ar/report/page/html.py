"""Sections as one HTML file that needs nothing beside it and no network."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from mouse_ar.data.files import write_text
from mouse_ar.report.html import render_page
from mouse_ar.report.page.blocks import Figure, Picture, Section

__all__ = ["render_sections", "write_page"]

# A folded plot is drawn when it is opened: in a hidden place it would have no width.
_SCRIPT = """
const draw = box => {
  if (box.dataset.drawn) return;
  box.dataset.drawn = "yes";
  const plot = JSON.parse(document.getElementById(box.dataset.plot).textContent);
  Plotly.newPlot(box, plot.data, plot.layout, {responsive: true, displaylogo: false});
};
for (const box of document.querySelectorAll(".plot"))
  if (!box.closest("details")) draw(box);
for (const fold of document.querySelectorAll("details"))
  fold.addEventListener("toggle", () => fold.open && fold.querySelectorAll(".plot").forEach(draw));
"""

_BODY = """<style>
body { max-width: 76rem; } h2 { margin-top: 2.6rem; border-bottom: 1px solid #ddd; }
nav a { margin-right: 1.1rem; white-space: nowrap; }
p { max-width: 60rem; } h3, summary { font-size: 15px; font-weight: 600; }
h3 { margin: 1.4rem 0 .3rem; }
summary { cursor: pointer; padding: .25rem 0; } td { vertical-align: top; }
tbody tr:nth-child(even) { background: #f7f8f9; } th.number { text-align: right; }
.caption { color: #555; font-size: 13.5px; margin-top: .2rem; }
.gallery { display: flex; flex-wrap: wrap; gap: .8rem; margin: .8rem 0 1.4rem; }
figure { margin: 0; width: 150px; } figure img { width: 150px; border: 0; border-radius: 3px; }
figcaption { font-size: 12px; line-height: 1.35; color: #444; overflow-wrap: anywhere; }
@media print { .modebar-container { display: none; } }
</style>
<nav>{% for section in sections %}<a href="#part{{ loop.index }}">{{ section.title }}</a>
{% endfor %}</nav>
{% for section in sections %}<section id="part{{ loop.index }}"><h2>{{ section.title }}</h2>
{% for kind, block in section.blocks %}
{% if kind == "Text" %}<p{% if block.warns %} class="failed"{% endif %}>
{% if block.lead %}<b>{{ block.lead }}</b> {% endif %}{{ block.text }}</p>
{% elif kind == "gallery" %}<div class="gallery">{% for picture in block %}<figure>
<img src="{{ picture.address }}" alt="{{ picture.caption }}" loading="lazy">
<figcaption>{{ picture.caption }}</figcaption></figure>{% endfor %}</div>
{% else %}
{% if block.folded %}<details><summary>{{ block.title }}</summary>
{% elif block.title %}<h3>{{ block.title }}</h3>{% endif %}
{% if kind == "Table" %}<table><thead><tr>{% for cell in block.columns %}
<th{% if block.is_number(loop.index0) %} class="number"{% endif %}>{{ cell }}</th>{% endfor %}</tr>
</thead><tbody>{% for row in block.rows %}<tr>{% for cell in row %}
<td{% if block.is_number(loop.index0) %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
{% else %}<div class="plot" data-plot="{{ block.name }}" style="min-height: {{ block.height }}px">
</div><script type="application/json" id="{{ block.name }}">{{ block.json | safe }}</script>
{% if block.caption %}<p class="caption">{{ block.caption }}</p>{% endif %}{% endif %}
{% if block.folded %}</details>{% endif %}
{% endif %}{% endfor %}</section>{% endfor %}
<script>{{ plotly | safe }}</script>
<script>{{ script | safe }}</script>
"""


def write_page(path: Path, sections: Sequence[Section], *, title: str) -> None:
    """Write :func:`render_sections` to a file, whole or not at all."""
    write_text(path, render_sections(sections, title=title))


def render_sections(sections: Sequence[Section], *, title: str) -> str:
    """One HTML page with everything inside, Plotly included.

    Args:
        sections: what to show.
        title: heading of the page.
    """
    names = (f"plot{number}" for number in itertools.count(1))
    return render_page(
        _BODY,
        title=title,
        sections=[
            {"title": section.title, "blocks": list(_blocks(section, names))}
            for section in sections
        ],
        plotly=get_plotlyjs(),
        script=_SCRIPT,
    )


def _blocks(section: Section, names: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Kind of each block and what the template needs of it; pictures in a row are one gallery."""
    for is_picture, group in itertools.groupby(
        section.blocks, lambda block: isinstance(block, Picture)
    ):
        if is_picture:
            yield "gallery", [_shown(block) for block in group if isinstance(block, Picture)]
            continue
        for block in group:
            if isinstance(block, Figure):
                yield "Figure", _drawn(block, name=next(names))
            else:
                yield type(block).__name__, block


def _shown(picture: Picture) -> dict[str, str]:
    data = base64.b64encode(picture.data).decode("ascii")
    return {"address": f"data:{picture.mime};base64,{data}", "caption": picture.caption}


def _drawn(figure: Figure, *, name: str) -> dict[str, Any]:
    text = json.dumps(figure.plot, allow_nan=False, separators=(",", ":"))
    return {
        "name": name,
        "title": figure.title,
        "caption": figure.caption,
        "folded": figure.folded,
        "height": figure.plot["layout"]["height"],
        "json": text.replace("<", "\\u003c"),  # or a name could end the script's element
    }
