"""What the Preprocess app says about input, plan and result, apart from the widgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mouse_ar.core.manifest import Manifest
from mouse_ar.core.splitting import Split
from mouse_ar.pipelines.preprocess import PreprocessReport
from mouse_ar.report.runs import preprocess_warnings
from mouse_ar.sly.input_summary import InputSummary
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.training_preview import State, TrainingPreview, video_states
from mouse_ar.sly.ui.widgets import Severity

__all__ = [
    "input_complaint",
    "input_notes",
    "plan_notes",
    "result_warnings",
    "split_rows",
    "target_name",
    "video_rows",
]

Note = tuple[str, Severity]
_MOST_PROBLEMS = 10
_USES = {Split.TRAIN: "training clips", Split.VAL: "validation", Split.TEST: "test"}


def target_name(source: RemoteProject) -> str:
    """The usual name of the Training Data project."""
    return f"{source.name} – training data"


def input_complaint(summary: InputSummary, *, kind: str | None) -> str | None:
    """Why a project cannot be the input; None when it can.

    Args:
        summary: what it holds.
        kind: what an app of ours has made it for, if one has.
    """
    if kind == "training-data":
        return "This project holds Training Data already. Choose the project it was made of."
    if not summary.remote:
        return "There are no videos. Upload some, or choose another project or dataset."
    if not summary.videos and summary.skipped:
        return (
            f"All {len(summary.skipped)} videos are predictions that nobody has reviewed. Correct "
            "the tags in the labeler and put the tag “reviewed” on each video that is right."
        )
    if not summary.videos:
        return "No annotation of these videos can be read."
    if not any(count.bouts for count in summary.counts):
        names = " or ".join(f"“{name}”" for name in summary.actions.names)
        return (
            "No action is labelled. Mark bouts in the labeler with tags on ranges of frames, "
            f"named {names}."
        )
    return None


def input_notes(summary: InputSummary, made: Manifest, *, kind: str | None) -> list[Note]:
    """What was found, and what is new since the last run; see :func:`input_complaint`."""
    seconds = sum(summary.meta(key).duration_seconds for key in summary.videos)
    bare = sum(not video.annotation.bouts for video in summary.videos.values())
    notes: list[Note] = []
    if summary.videos:
        text = f"{len(summary.videos)} videos, {seconds / 60:.1f} min in all"
        notes.append((f"{text}; {bare} of them without any action.", "info"))
        notes.append((_news(summary, made), "info"))
    if kind == "predictions" or summary.skipped:
        notes.append((_reviewed(summary), "warning" if summary.skipped else "info"))
    for name, count in summary.unknown_tags.items():
        known = ", ".join(summary.actions.names)
        text = f"Tag “{name}” in {count} videos is no known action ({known}) and is not used."
        notes.append((text, "warning"))
    notes += [(f"{key}: {cause}", "error") for key, cause in summary.failures.items()]
    problems = summary.problems
    notes += [(text, "warning") for text in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        notes.append((f"… and {len(problems) - _MOST_PROBLEMS} more oddities.", "warning"))
    return notes


def _news(summary: InputSummary, made: Manifest) -> str:
    if not made.entries:
        return "No Training Data was made of this project yet under the usual name."
    states = Counter(video_states(summary, made).values())
    if states[State.DONE] == sum(states.values()):
        return "Nothing is new since the last run: no video and no label was added or changed."
    parts = {
        "new": states[State.NEW],
        "with other labels or another file": states[State.CHANGED],
        "not finished": states[State.UNFINISHED],
        "up to date": states[State.DONE],
    }
    told = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
    return f"Since the last run: {told}."


def _reviewed(summary: InputSummary) -> str:
    total = len(summary.videos) + len(summary.skipped)
    return (
        f"Predictions: {len(summary.videos)} of {total} videos bear the tag “reviewed” and are "
        "used; the others are left out."
    )


def split_rows(
    summary: InputSummary, preview: TrainingPreview
) -> list[list[str | int | float | None]]:
    """Per split: its use, videos, bouts of each action, minutes."""
    rows: list[list[str | int | float | None]] = []
    for split in Split:
        keys = [key for key, own in preview.splits.items() if own is split]
        bouts: Counter[str] = Counter()
        for key in keys:
            bouts.update(summary.videos[key].counts)
        minutes = sum(summary.meta(key).duration_seconds for key in keys) / 60
        counts = [bouts[name] for name in summary.actions.names]
        rows.append([_USES[split], len(keys), *counts, minutes])
    return rows


def video_rows(
    summary: InputSummary, preview: TrainingPreview
) -> list[list[str | int | float | None]]:
    """Per video: its name, use, bouts of each action, and what the run does with it."""
    return [
        [
            key,
            _USES[preview.splits[key]],
            *(summary.videos[key].counts.get(name, 0) for name in summary.actions.names),
            state.value,
        ]
        for key, state in preview.states.items()
    ]


def plan_notes(
    preview: TrainingPreview, *, remove: bool, partly: bool, settings_known: bool
) -> list[Note]:
    """What the run does, and what these data cannot do.

    Args:
        preview: the plan.
        remove: whether what was made of videos that are gone is removed.
        partly: whether only some datasets are looked at.
        settings_known: whether a change of settings is seen already.
    """
    todo, total = len(preview.todo), len(preview.states)
    what = f"{todo} of {total} videos are to be processed" if todo else "Nothing new to process"
    notes: list[Note] = [(f"{what}; {total - todo} are up to date.", "info")]
    if preview.gone and not partly:
        end = "is removed" if remove else "stays"
        text = f"{len(preview.gone)} videos used before are gone; what was made of them {end}."
        notes.append((text, "warning"))
    if Split.VAL not in preview.splits.values():
        text = (
            "No video is set aside for validation: clips of some training videos choose the "
            "checkpoint (six or more videos get one)."
        )
        notes.append((text, "warning"))
    if not settings_known:
        text = (
            "Videos that were made with another detector or other settings are made again; which "
            "these are shows when the detector is opened."
        )
        notes.append((text, "info"))
    notes.append(
        (
            "These numbers are from what the instance knows of the videos. The run counts their "
            "frames itself, so its numbers are the exact ones. A frame in two clips counts twice.",
            "text",
        )
    )
    return notes


def result_warnings(report: PreprocessReport) -> Sequence[str]:
    """Failures first, then all else that the user should look at."""
    failed = [f"{key}: {cause}" for key, cause in report.failures.items()]
    others = preprocess_warnings(report, to_remove="choose to remove them in step 3")
    return [*failed, *others, *report.scan.problems]
