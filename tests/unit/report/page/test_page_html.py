"""Blocks as HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mouse_ar.report.page.blocks import Figure, Picture, Section, Table, Text
from mouse_ar.report.page.html import render_sections, write_page

EVIL = "</script><script>alert(1)</script>"


def test_everything_is_in_the_page_and_nothing_runs_that_should_not(tmp_path: Path) -> None:
    plot = {"data": [{"x": [1], "name": EVIL}], "layout": {"height": 200}}
    section = Section(
        EVIL,
        (
            Text(EVIL, lead="Lead:"),
            Table(("a", "b"), [(EVIL, "2")], title="Cells", numbers_from=1, folded=True),
            Figure(plot, title="Plot", caption="below"),
            Figure(plot, title="Hidden", folded=True),
            Picture(b"one", "image/webp", "first"),
            Picture(b"two", "image/webp", "second"),
            Text("warning", warns=True),
            Picture(b"three", "image/webp", "third"),
        ),
    )
    write_page(tmp_path / "page.html", [section], title="Title")
    page = (tmp_path / "page.html").read_text()
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)") == 4  # navigation, heading, text and cell
    stored = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page)
    assert [name for name, _ in stored] == ["plot1", "plot2"]
    assert all(json.loads(text) == plot for _, text in stored)
    assert page.count('class="gallery"') == 2  # what stands in a row is one gallery
    assert page.count("data:image/webp;base64,") == 3
    assert page.count("<details>") == 2
    assert '<td class="number">2</td>' in page
    assert '<p class="failed">' in page
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="https?:', page)


def test_plotly_is_there_once() -> None:
    page = render_sections([Section("Empty", ())], title="Title")
    assert len(re.findall(r"\* plotly\.js v", page)) == 1
