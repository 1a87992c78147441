"""What an evaluation leaves on disk: figures, table, picture, scores, and a page to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import write_json, write_text
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.results import save_scores, scores_path
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.report.html import inlined_png, render_page
from mouse_ar.report.runs import evaluate_text
from mouse_ar.report.tables import EVALUATION_COLUMNS, evaluation_rows, evaluation_summary

__all__ = ["evaluation_page", "plot_training", "write_evaluation"]

_PAGE = """<p>{{ summary }}</p>
<h2>Whole videos that the training never saw</h2>
<table><tr>{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in rows %}<tr{% if row[0] == "all" %} class="all"{% endif %}>
{% for cell in row %}<td{% if loop.index0 > 1 %} class="number"{% endif %}>{{ cell }}</td>
{% endfor %}</tr>{% endfor %}</table>
<p>P is precision, R recall, F1 their harmonic mean; – where there is nothing to count.
“false/h” are false bouts in an hour of video.</p>
{% for key, cause in failures.items() %}<p class="failed">{{ key }} could not be scored:
{{ cause }}</p>{% endfor %}
{% for heading, picture in pictures %}<h2>{{ heading }}</h2>
<img src="{{ picture }}" alt="{{ heading }}">{% endfor %}
{% if facts %}<h2>The model</h2>
<table>{% for name, value in facts.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</table>{% endif %}
"""


def write_evaluation(
    folder: Path,
    result: EvaluatedVideos,
    *,
    records: Sequence[VideoRecord],
    actions: ActionSet,
    checkpoint_sha256: str,
    title: str = "Held-out videos: true and predicted bouts",
) -> None:
    """Write ``evaluation.json``, ``evaluation.md``, ``ethogram.png`` and ``scores/*.npz``.

    Args:
        folder: where to.
        result: of :func:`~mouse_ar.pipelines.evaluate.evaluate_videos`.
        records: the videos with their labels.
        actions: classes.
        checkpoint_sha256: of the model.
        title: of the picture.
    """
    write_json(folder / "evaluation.json", result.to_dict(), indent=1)
    write_text(folder / "evaluation.md", evaluate_text(result) + "\n")
    for key, scores in result.scores.items():
        save_scores(
            scores_path(folder, key),
            scores,
            timestamps_seconds=result.timestamps_seconds[key],
            header={"video": key, "checkpoint_sha256": checkpoint_sha256},
        )
    if result.predicted:
        plot_ethograms(
            folder / "ethogram.png",
            predicted=result.predicted,
            truth={record.key: record.ethogram for record in records},
            scores=result.scores,
            actions=actions,
            title=title,
        )


def evaluation_page(
    path: Path,
    result: EvaluatedVideos,
    *,
    title: str,
    pictures: Mapping[str, Path],
    facts: Mapping[str, Any],
) -> None:
    """Write one HTML file that needs nothing beside it.

    Args:
        path: the file.
        result: of the evaluation.
        title: heading of the page.
        pictures: PNG files by heading; those that do not exist are left out.
        facts: further lines about the model.
    """
    inlined = [
        (heading, inlined_png(picture))
        for heading, picture in pictures.items()
        if picture.is_file()
    ]
    write_text(
        path,
        render_page(
            _PAGE,
            title=title,
            summary=evaluation_summary(result.evaluation),
            columns=EVALUATION_COLUMNS,
            rows=evaluation_rows(result.evaluation, everything="all"),
            failures=result.failures,
            pictures=inlined,
            facts=facts,
        ),
    )


def plot_training(path: Path, events: Sequence[Mapping[str, Any]]) -> None:
    """Draw loss and validation score over the epochs of a run.

    Args:
        path: PNG file.
        events: of the run; see :func:`~mouse_ar.training.launch.read_events`.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 3.2), layout="constrained")
    for axis, (kind, value, label) in zip(
        figure.subplots(1, 2),
        (("epoch", "loss", "training loss"), ("validation", "score", "validation: bout F1")),
        strict=True,
    ):
        points = [(e["epoch"] + 1, e[value]) for e in events if e["event"] == kind]
        axis.plot([x for x, _ in points], [y for _, y in points], marker=".")
        axis.set_xlabel("epoch")
        axis.set_title(label, fontsize=10, loc="left")
        axis.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
