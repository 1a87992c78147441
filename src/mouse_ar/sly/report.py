"""A report as the platform shows it: the SDK's widgets in the place of the HTML page's parts.

The platform opens ``template.vue`` of such a folder at ``/model-benchmark?id=<its number>``; a
``.lnk`` file with that address is what one clicks on in Team Files and in the list of tasks.
"""

from __future__ import annotations

import base64
import html
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from mouse_ar.data.files import write_text
from mouse_ar.report.page.blocks import Block, Figure, Picture, Section, Table, Text
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.team_files import TeamFile, find_file
from mouse_ar.sly.team_uploads import upload_file

if TYPE_CHECKING:
    from supervisely.nn.benchmark.visualization.widgets import BaseWidget

__all__ = ["REPORT_FOLDER", "link_report", "write_report"]

REPORT_FOLDER = "visualizations"
LINK_NAME = "Model Evaluation Report.lnk"
_PICTURE_WIDTH_PX = 150


def write_report(folder: Path, sections: Sequence[Section], *, title: str) -> None:
    """Write ``template.vue``, ``state.json`` and ``data/``; what is there is replaced.

    Args:
        folder: where to.
        sections: what to show, those of the HTML page.
        title: heading.
    """
    from supervisely.nn.benchmark.visualization.renderer import Renderer
    from supervisely.nn.benchmark.visualization.widgets import MarkdownWidget, SidebarWidget

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    widgets: list[BaseWidget] = [_named(MarkdownWidget("title", title, f"# {title}"))]
    anchors = []
    for number, section in enumerate(sections, start=1):
        heading = _named(MarkdownWidget(f"part{number}", section.title, f"## {section.title}"))
        anchors.append(heading.id)
        widgets += [heading, *_widgets(section, name=f"part{number}")]
    Renderer(SidebarWidget(widgets=widgets, anchors=anchors), base_dir=str(folder)).visualize()


def link_report(
    connection: Connection, folder: Path, remote: str, *, team_id: int
) -> tuple[int, TeamFile] | None:
    """Make an uploaded report one that can be opened.

    Args:
        connection: to the instance.
        folder: the local one, which gets the link, too.
        remote: where its files are in Team Files; ends with "/".
        team_id: whose files.

    Returns:
        Number of ``template.vue``, by which the platform opens the report, and the link; None
        where the report is not there.

    Raises:
        TransferError: the instance failed.
    """
    template = find_file(connection, remote + "template.vue", team_id=team_id)
    if template is None:
        return None
    write_text(folder / LINK_NAME, f"/model-benchmark?id={template.id}")
    link = upload_file(connection, folder / LINK_NAME, remote + LINK_NAME, team_id=team_id)
    return template.id, link


def _widgets(section: Section, *, name: str) -> Iterator[BaseWidget]:
    """Plots are charts; all between two plots is one text."""
    from supervisely.nn.benchmark.visualization.widgets import ChartWidget, MarkdownWidget

    text: list[str] = []
    for number, block in enumerate(section.blocks):
        if not isinstance(block, Figure):
            text.append(_markdown(block))
            continue
        text += [f"### {_escaped(block.title)}"] if block.title else []
        if text:
            yield _named(MarkdownWidget(f"{name}_{number}_text", "", "\n\n".join(text)))
        # Without a template of its own the figure would get Plotly's, which the page does not have.
        plot = {**block.plot, "layout": {**block.plot["layout"], "template": {}}}
        yield _named(ChartWidget(f"{name}_{number}", go.Figure(plot)))
        text = [f"*{_escaped(block.caption)}*"] if block.caption else []
    if text:
        yield _named(MarkdownWidget(f"{name}_text", "", "\n\n".join(text)))


def _named(widget: BaseWidget) -> BaseWidget:
    """With its name for its id, which is random otherwise: a second upload replaces the first."""
    widget.id = widget.name
    widget.data_source = f"/data/{widget.name}{Path(widget.data_source).suffix}"
    return widget


def _markdown(block: Block) -> str:
    if isinstance(block, Text):
        lead = f"**{_escaped(block.lead)}** " if block.lead else ""
        return f"{'⚠ ' if block.warns else ''}{lead}{_escaped(block.text)}"
    if isinstance(block, Table):
        rows = [block.columns, ["---"] * len(block.columns), *block.rows]
        lines = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows]
        return "\n".join([f"### {_escaped(block.title)}\n" if block.title else "", *lines])
    assert isinstance(block, Picture)
    data = base64.b64encode(block.data).decode("ascii")
    return (
        f'<figure><img width="{_PICTURE_WIDTH_PX}" src="data:{block.mime};base64,{data}">'
        f"<figcaption>{html.escape(block.caption)}</figcaption></figure>"
    )


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    shown = html.escape(" ".join(text.split()), quote=False)
    for sign in r"\`*_[]|#":
        shown = shown.replace(sign, "\\" + sign)
    # "---" between the heading and the rows of a table stays what it is
    return shown
