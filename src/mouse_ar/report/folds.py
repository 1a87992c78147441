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
{% if fitted %}<h2>Decoding fitted to all held-out clips</h2>
<table><tr>{% for column in fitted_columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in fitted %}<tr>{% for cell in row %}
<td{% if 0 < loop.index0 < 5 %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endif %}{% for note in notes %}<p>{{ note }}</p>{% endfor %}
{% for failure in failures %}<p class="failed">{{ failure }}</p>{% endfor %}
"""
_FOLD_COLUMNS = (
    "fold",
    "held-out clips",
    "training clips",
    "best epoch",
    "held-out sources",
)
_FITTED_COLUMNS = (
    "action",
    "true bouts",
    "bout F1 with the defaults",
    "with what is used",
    "on sources left out",
    "decoding",
    "probability",
)
_FITTED_NOTE = (
    "The decoding is fitted once to the held-out clips of all folds, without the noise floor, "
    "which belongs to whole videos; out_of_fold.yaml holds it for --config of mouse-ar infer, "
    "evaluate and decode. False bouts are rarer on clips than in whole videos: where there are "
    "val videos, compare there first. The calibration is only written down, in folds.json."
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
        *([markdown_table(_FITTED_COLUMNS, fitted), ""] if (fitted := _fitted(document)) else []),
        *(f"Note: {note}" for note in _notes(document)),
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
        fitted_columns=_FITTED_COLUMNS,
        fitted=_fitted(document),
        notes=_notes(document),
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


def _fitted(document: Mapping[str, Any]) -> list[list[str]]:
    found = document["out_of_fold"]
    if found is None:
        return []
    return [
        [
            fit["action"],
            str(fit["true_bouts"]),
            *(_number(fit[f"f1_{when}"]) for when in ("before", "after", "held_out")),
            fit["reason"],
            found["calibration"][fit["action"]]["reason"],
        ]
        for fit in found["decoding"]["report"]
    ]


def _notes(document: Mapping[str, Any]) -> list[str]:
    return [*document["notes"], *([_FITTED_NOTE] if document["out_of_fold"] else [])]


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
