from __future__ import annotations

import json
from pathlib import Path

import pytest

from mouse_ar.report.page.blocks import Figure, Picture, Section, Table, Text
from mouse_ar.sly.report import write_report

PLOT = {"data": [{"type": "scatter", "x": [1, 2], "y": [0.5, 0.75]}], "layout": {"height": 200}}
SECTIONS = [
    Section(
        "How good it is",
        (
            Text("Of 100 bouts it finds 87 <95 %>.", lead="Grooming:"),
            Table(("action", "a|b"), [("Head/Body_TWITCH", "0.9")], title="Key_numbers"),
            Figure(PLOT, title="Precision", caption="Higher is better."),
        ),
    ),
    Section("The worst errors", (Picture(b"webp", "image/webp", "cage 1, frames 3 to 9"),)),
]


def texts(folder: Path) -> list[str]:
    """In the order of the page."""
    template = (folder / "template.vue").read_text()
    files = sorted((folder / "data").glob("*.md"), key=lambda p: template.index(p.name))
    return [path.read_text() for path in files]


@pytest.mark.usefixtures("sly")
def test_the_platform_gets_every_block_in_order(tmp_path: Path) -> None:
    write_report(tmp_path / "out", SECTIONS, title="Experiment 1")
    found = texts(tmp_path / "out")
    assert found[0] == "# Experiment 1"
    assert found[1] == "## How good it is"
    assert "**Grooming:** Of 100 bouts it finds 87 &lt;95 %&gt;." in found[2]
    assert "| action | a\\|b |\n| --- | --- |\n| Head/Body\\_TWITCH | 0.9 |" in found[2]
    assert found[2].endswith("### Precision")
    assert found[3] == "*Higher is better.*"
    assert found[4] == "## The worst errors"
    assert 'src="data:image/webp;base64,d2VicA=="' in found[5]
    assert "cage 1, frames 3 to 9" in found[5]
    (chart,) = (tmp_path / "out/data").glob("*.json")
    drawn = json.loads(chart.read_text())["chartContent"]
    assert drawn["data"][0]["y"] == [0.5, 0.75]
    assert "layout" not in drawn["layout"]["template"]  # nothing of Plotly's own look
    assert json.loads((tmp_path / "out/state.json").read_text()) == {}
    template = (tmp_path / "out/template.vue").read_text()
    for title in ("How good it is", "The worst errors"):
        assert title in template  # in the list at the side


@pytest.mark.usefixtures("sly")
def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    write_report(tmp_path / "out", SECTIONS, title="Experiment 1")
    write_report(tmp_path / "out", SECTIONS[1:], title="Experiment 2")
    assert "# Experiment 2" in texts(tmp_path / "out")
    assert "## How good it is" not in texts(tmp_path / "out")
    again = {p.name: p.read_bytes() for p in (tmp_path / "out/data").iterdir()}
    write_report(tmp_path / "out", SECTIONS[1:], title="Experiment 2")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out/data").iterdir()} == again
