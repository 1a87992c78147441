"""A project of predictions: what it keeps in Team Files, and what a person has made of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.data.annotations import REVIEWED_TAG, VideoAnnotation
from mouse_ar.pipelines.bout_decoding import RUN_NAME
from mouse_ar.pipelines.infer_run import InferReport
from mouse_ar.pipelines.results import scores_path
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.report.inference_page import inference_page
from mouse_ar.sly.annotations import read_annotation
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.team_files import download_file, list_files
from mouse_ar.sly.team_uploads import upload_file
from mouse_ar.sly.videos import RemoteVideo

__all__ = [
    "REPORT_NAME",
    "TABLES",
    "fetch_run",
    "fetch_scores",
    "is_copy",
    "leave_tables",
    "remote_scores",
    "results_folder",
    "reviewed_version",
    "threshold_facts",
]

TABLES = ("bouts.csv", "summary.csv")
REPORT_NAME = "report.html"

Progress = Callable[[str, int, int], None]


def results_folder(target: RemoteProject) -> str:
    """Where the tables, pictures and scores of a predictions project lie in Team Files."""
    return f"/mouse-action-recognition/predictions/{target.id}/"


def remote_scores(target: RemoteProject, path: Path) -> str:
    """Where a local file of scores is kept."""
    return f"{results_folder(target)}scores/{path.name}"


def fetch_scores(
    target: RemoteProject,
    folder: Path,
    keys: Collection[str],
    *,
    team_id: int,
    progress: Progress,
) -> None:
    """Get the scores of earlier runs, which save work and all go into tables.

    Args:
        target: the project of predictions.
        folder: of the local results.
        keys: of the videos; those without scores are passed over.
        team_id: whose Team Files keep them.
        progress: called with (what, done, total).
    """
    kept = list_files(target.connection, f"{results_folder(target)}scores/", team_id=team_id)
    there = {file.path for file in kept}
    wanted = {key: remote_scores(target, scores_path(folder, key)) for key in sorted(keys)}
    kept_keys = [key for key, remote in wanted.items() if remote in there]
    for number, key in enumerate(kept_keys, start=1):
        path = scores_path(folder, key)
        download_file(target.connection, wanted[key], path, team_id=team_id)
        progress("resuming", number, len(kept_keys))


def fetch_run(target: RemoteProject, folder: Path, *, team_id: int) -> None:
    """Get what the last run has written about itself, if it has."""
    remote = results_folder(target) + RUN_NAME
    kept = list_files(target.connection, results_folder(target), team_id=team_id)
    if remote in {file.path for file in kept}:
        download_file(target.connection, remote, folder / RUN_NAME, team_id=team_id)


def threshold_facts(decoding: DecodingParams) -> dict[str, float]:
    """What bouts were decoded with, for the page."""
    return {
        f"{action}: {name.replace('_', ' ')}": value
        for action, values in decoding.to_dict().items()
        for name, value in values.items()
    }


def leave_tables(
    folder: Path,
    report: InferReport,
    target: RemoteProject,
    *,
    team_id: int,
    actions: ActionSet,
    facts: Mapping[str, object],
) -> None:
    """Draw the picture, write the page, and have them and the tables in Team Files.

    Args:
        folder: of the local results, with the tables.
        report: of the run.
        target: the project of predictions.
        team_id: whose Team Files they go to.
        actions: that were looked for.
        facts: how it was made, for the page.
    """
    picture = folder / "ethogram.png"
    if report.tabulated:
        plot_ethograms(
            picture,
            predicted={result.key: result.ethogram for result in report.tabulated},
            actions=actions,
        )
    inference_page(
        folder / REPORT_NAME,
        report.tabulated,
        actions=actions,
        title=target.name,
        failures=report.failures,
        warnings=report.warnings,
        picture=picture,
        facts=facts,
    )
    for name in (*TABLES, RUN_NAME, "ethogram.png", REPORT_NAME):
        if (folder / name).is_file():
            upload_file(
                target.connection, folder / name, results_folder(target) + name, team_id=team_id
            )


def reviewed_version(target: RemoteProject, video: RemoteVideo) -> VideoAnnotation | None:
    """A person's version, read now: a run takes hours, in which people go on reviewing."""
    found = read_annotation(target.connection, video, actions=target.actions)
    return found if found.has_video_tag(REVIEWED_TAG) else None


def is_copy(video: RemoteVideo, source: RemoteVideo, annotation: VideoAnnotation) -> bool:
    """Whether a video of the target has the content that was annotated."""
    if (video.hash, video.link) == (source.hash, source.link):
        return True
    # Of a linked video that the instance would not copy, the target has the bytes.
    wanted = annotation.provenance.get("source_sha256")
    return video.hash is not None and base64.b64decode(video.hash).hex() == wanted
