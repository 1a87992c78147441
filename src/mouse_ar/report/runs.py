"""What preprocess, evaluate and infer did, as text."""

from __future__ import annotations

from collections.abc import Mapping

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.splitting import Split
from mouse_ar.pipelines.detect import DetectReport
from mouse_ar.pipelines.evaluate import EvaluatedVideos
from mouse_ar.pipelines.infer import InferReport
from mouse_ar.pipelines.preprocess import PreprocessReport
from mouse_ar.pipelines.redecode import DecodedAgain
from mouse_ar.report.tables import evaluated_tables, markdown_table

__all__ = [
    "detect_text",
    "evaluate_text",
    "infer_summary",
    "infer_text",
    "preprocess_headline",
    "preprocess_text",
    "preprocess_warnings",
    "redecode_summary",
]

_MOST_LINES = 20


def preprocess_text(report: PreprocessReport) -> str:
    """Counts, what was done, and everything the user should look at."""
    lines = [preprocess_headline(report)]
    splits = ", ".join(f"{name} {count}" for name, count in sorted(report.splits.items()))
    lines += [f"Videos per split: {splits}", ""]
    rows = [[d, str(report.clips[d]), str(report.frames[d])] for d in sorted(report.clips)]
    lines.append(markdown_table(("dataset", "videos", "frames"), rows))
    lines += preprocess_warnings(report, to_remove="--remove-deleted")
    lines += _listed("Problem", report.scan.problems)
    return "\n".join(lines + _failed(report.failures))


def preprocess_headline(report: PreprocessReport) -> str:
    """What was done, in one sentence."""
    if not (report.processed or report.removed or report.failures):
        return f"Nothing new: all {report.unchanged} videos are up to date."
    return (
        f"{len(report.processed)} videos processed, {report.unchanged} already up to date, "
        f"{len(report.removed)} removed, {len(report.failures)} failed."
    )


def preprocess_warnings(report: PreprocessReport, *, to_remove: str) -> list[str]:
    """What the user should look at, but for single failures and oddities of annotations.

    Args:
        report: of the run.
        to_remove: the option that removes what was made of videos that are gone.
    """
    lines = _remarks(report)
    for name, count in report.scan.unknown_tags.items():
        lines.append(f"Unknown tag {name!r} in {count} videos: not an action of actions.yaml.")
    if report.scan.skipped:
        lines.append(
            f"{len(report.scan.skipped)} predicted videos without the tag 'reviewed' were left out."
        )
    for key in report.gone:
        lines.append(f"{key} is gone from the input; its clips stay ({to_remove}).")
    return lines


def _remarks(report: PreprocessReport) -> list[str]:
    """What these data cannot do."""
    lines = []
    if report.splits and not report.splits[Split.VAL.value]:
        lines.append(
            "No video is set aside for validation: clips of some training videos choose the "
            "checkpoint, and decoding keeps its defaults (six or more videos get one)."
        )
    videos = report.scan.videos.values()
    if videos and not any(video.annotation.bouts for video in videos):
        lines.append(
            "Warning: no video has a labelled action. Label bouts as tags with a frame range, "
            "named as in actions.yaml."
        )
    return lines


def evaluate_text(result: EvaluatedVideos) -> str:
    """The metrics, and which videos they say nothing about."""
    return "\n".join([evaluated_tables(result), *_failed(result.failures)])


def infer_summary(report: InferReport) -> str:
    """How many videos and bouts, in one sentence."""
    bouts = [b for result in report.results for b in result.ethogram.bouts]
    counts = {name: sum(b.action == name for b in bouts) for name in {b.action for b in bouts}}
    found = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no bouts"
    return (
        f"{len(report.results)} videos annotated ({len(report.resumed)} from an earlier run): "
        f"{found}."
    )


def redecode_summary(again: DecodedAgain, *, actions: ActionSet) -> str:
    """How many videos were decoded again, and their bouts now and before, in one sentence."""
    counts = []
    for name in actions.names:
        before, now = again.before[name], again.after[name]
        counts.append(f"{now} {name} ({'as' if now == before else before} before)")
    return f"{len(again.decoded)} videos decoded again: {', '.join(counts)}."


def infer_text(report: InferReport) -> str:
    """Bouts per action, warnings and failures."""
    lines = [infer_summary(report), f"Project: {report.project}"]
    lines += _listed("Note", report.warnings)
    return "\n".join(lines + _failed(report.failures))


def detect_text(report: DetectReport) -> str:
    """Share of frames with a box per video, warnings and failures."""
    lines = [f"{key}: mouse in {share:.1%} of the frames" for key, share in report.present.items()]
    lines += [f"Project: {report.project}", *_listed("Note", report.warnings)]
    return "\n".join(lines + _failed(report.failures))


def _failed(failures: Mapping[str, str]) -> list[str]:
    return _listed("FAILED", [f"{key}: {cause}" for key, cause in failures.items()])


def _listed(word: str, texts: list[str]) -> list[str]:
    shown = [f"{word}: {text}" for text in texts[:_MOST_LINES]]
    if len(texts) > _MOST_LINES:
        shown.append(f"{word}: … and {len(texts) - _MOST_LINES} more")
    return shown
