"""The result of a cross-validation as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mouse_ar.core.text import markdown_table
from mouse_ar.data.files import write_text
from mouse_ar.report.html import render_page

__all__ = ["folds_page", "folds_text"]

_PAGE = """<p>{{ headline }}</p>
<h2>Figures on held-out clips</h2>
<table><tr>{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}
<td{% if loop.index0 > 0 %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
<p>std is the sample standard deviation over the folds. A fold that does not show an action has no
figure for it (–) and is left out.</p>
<h2>The folds</h2>
<table><tr>{% for column in fold_columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in folds %}<tr>{% for cell in row %}
<td{% if loop.index0 < 4 %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% for note in notes %}<p>{{ note }}</p>{% endfor %}
{% for failure in failures %}<p class="failed">{{ failure }}</p>{% endfor %}
"""
_FOLD_COLUMNS = (
    "fold",
    "held-out clips",
    "training clips",
    "best epoch",
    "held-out sources",
)


def folds_text(document: Mapping[str, Any]) -> str:
    """Tables of the figures and of the folds, and what they mean.

    Args:
        document: content of ``folds.json``.
    """
    lines = [
        _headline(document),
        "",
        markdown_table(_columns(document), _rows(document)),
        "",
        markdown_table(_FOLD_COLUMNS, _folds(document)),
        "",
        *(f"Note: {note}" for note in document["notes"]),
        *_failures(document),
    ]
    return "\n".join(lines)


def folds_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write one HTML file that needs nothing beside it.

    Args:
        path: the file.
        document: content of ``folds.json``.
    """
    page = render_page(
        _PAGE,
        title=f"Cross-validation in {document['folds']} folds",
        headline=_headline(document),
        columns=_columns(document),
        rows=_rows(document),
        fold_columns=_FOLD_COLUMNS,
        folds=_folds(document),
        notes=document["notes"],
        failures=_failures(document),
    )
    write_text(path, page)


def _headline(document: Mapping[str, Any]) -> str:
    finished, folds = document["finished"], document["folds"]
    if not finished:
        return f"None of the {folds} folds is finished."
    of = f"{folds} folds" if finished == folds else f"{finished} of {folds} folds"
    frames, bouts = (document["summary"][f"macro/{name} F1"] for name in ("frame", "bout"))
    return (
        f"Over {of}, mean over actions: frame F1 {_spread(frames)}, bout F1 {_spread(bouts)} "
        "(mean ± standard deviation)."
    )


def _columns(document: Mapping[str, Any]) -> list[str]:
    folds = [f"fold {result['fold']}" for result in document["results"]]
    return ["figure", *folds, "mean", "std", "min", "max"]


def _rows(document: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            name.replace("macro/", "mean over actions: "),
            *(_number(result["metrics"].get(name)) for result in document["results"]),
            *(_number(values[key]) for key in ("mean", "std", "min", "max")),
        ]
        for name, values in document["summary"].items()
    ]


def _folds(document: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            str(result["fold"]),
            str(result["clips"]),
            str(result["clips_trained_on"]),
            str(result["best_epoch"] + 1),
            ", ".join(result["sources"]),
        ]
        for result in document["results"]
    ]


def _failures(document: Mapping[str, Any]) -> list[str]:
    return [
        f"FAILED: fold {result['fold']}: {key} could not be scored: {cause}"
        for result in document["results"]
        for key, cause in result["failures"].items()
    ]


def _spread(values: Mapping[str, Any]) -> str:
    return f"{_number(values['mean'])} ± {_number(values['std'])}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
