"""What an evaluation leaves on disk beside its page: figures, table, picture, scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import write_json, write_text
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.results import save_scores, scores_path
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.report.runs import evaluate_text

__all__ = ["write_evaluation"]


def write_evaluation(
    folder: Path,
    result: EvaluatedVideos,
    *,
    records: Sequence[VideoRecord],
    actions: ActionSet,
    decoding: Decoding | None,
    title: str = "Held-out videos: true and predicted bouts",
) -> None:
    """Write ``evaluation.json``, ``evaluation.md``, ``ethogram.png``, and what decodes again.

    That is ``scores/*.npz`` and ``run.json``, where a model was evaluated.

    Args:
        folder: where to.
        result: of :func:`~mouse_ar.pipelines.evaluate.evaluate_videos`.
        records: the videos with their labels.
        actions: classes.
        decoding: of the model; None where only a second annotator was scored.
        title: of the picture.
    """
    write_json(folder / "evaluation.json", result.to_dict(), indent=1)
    write_text(folder / "evaluation.md", evaluate_text(result) + "\n")
    model = "" if decoding is None else decoding.checkpoint_sha256
    if decoding is not None:
        decoding.write(folder, checkpoint_sha256=model)
    for key, scores in result.scores.items():
        save_scores(
            scores_path(folder, key),
            scores,
            timestamps_seconds=result.timestamps_seconds[key],
            header={"video": key, "checkpoint_sha256": model},
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
