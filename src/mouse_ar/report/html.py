"""What our HTML pages share: one look, and pictures inside the file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jinja2

__all__ = ["inlined_png", "render_page"]

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; color: #222;
       padding: 0 1rem; }
img { max-width: 100%; border: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 14px; margin: .6rem 0; }
th { text-align: left; border-bottom: 2px solid #bbb; }
th, td { padding: .2rem .8rem .2rem 0; } tr.all td { font-weight: 600; border-top: 1px solid #bbb; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } .failed { color: #a00; }
</style></head><body>
<h1>{{ title }}</h1>
{% block body %}{% endblock %}
</body></html>
"""


def render_page(body: str, *, title: str, **values: Any) -> str:
    """A page that needs nothing beside it; values are escaped.

    Args:
        body: Jinja template of what comes below the heading.
        title: heading.
        values: of the template.
    """
    loader = jinja2.DictLoader({"frame": _FRAME})
    environment = jinja2.Environment(autoescape=True, loader=loader)
    page = "{% extends 'frame' %}{% block body %}" + body + "{% endblock %}"
    return environment.from_string(page).render(title=title, **values)


def inlined_png(path: Path) -> str:
    """A PNG file as the address of an image in a page."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
