"""What preprocess and infer did, as text."""

from __future__ import annotations

from mouse_ar.pipelines.infer import InferReport
from mouse_ar.pipelines.preprocess import PreprocessReport
from mouse_ar.report.tables import markdown_table

__all__ = ["infer_text", "preprocess_text"]

_MOST_LINES = 20


def preprocess_text(report: PreprocessReport) -> str:
    """Counts, what was done, and everything the user should look at."""
    lines = []
    if not (report.processed or report.removed or report.failures):
        lines.append(f"Nothing new: all {report.unchanged} videos are up to date.")
    else:
        lines.append(
            f"{len(report.processed)} videos processed, {report.unchanged} already up to date, "
            f"{len(report.removed)} removed, {len(report.failures)} failed."
        )
    splits = ", ".join(f"{name} {count}" for name, count in sorted(report.splits.items()))
    lines += [f"Videos per split: {splits}", ""]
    rows = [[d, str(report.clips[d]), str(report.frames[d])] for d in sorted(report.clips)]
    lines.append(markdown_table(("dataset", "videos", "frames"), rows))
    for name, count in report.scan.unknown_tags.items():
        lines.append(f"Unknown tag {name!r} in {count} videos: not an action of actions.yaml.")
    if report.scan.skipped:
        lines.append(
            f"{len(report.scan.skipped)} predicted videos without the tag 'reviewed' were left out."
        )
    for key in report.gone:
        lines.append(f"{key} is gone from the input; its clips stay (--remove-deleted).")
    lines += _listed("Problem", report.scan.problems)
    lines += _listed("FAILED", [f"{k}: {cause}" for k, cause in report.failures.items()])
    return "\n".join(lines)


def infer_text(report: InferReport) -> str:
    """Bouts per action, warnings and failures."""
    bouts = [b for result in report.results for b in result.ethogram.bouts]
    counts = {name: sum(b.action == name for b in bouts) for name in {b.action for b in bouts}}
    found = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no bouts"
    lines = [
        f"{len(report.results)} videos annotated ({len(report.resumed)} from an earlier run): "
        f"{found}.",
        f"Project: {report.project}",
    ]
    lines += _listed("Note", report.warnings)
    lines += _listed("FAILED", [f"{k}: {cause}" for k, cause in report.failures.items()])
    return "\n".join(lines)


def _listed(word: str, texts: list[str]) -> list[str]:
    shown = [f"{word}: {text}" for text in texts[:_MOST_LINES]]
    if len(texts) > _MOST_LINES:
        shown.append(f"{word}: … and {len(texts) - _MOST_LINES} more")
    return shown
