"""What preprocessing would do, from annotations and the instance's own facts about the videos.

The run itself probes the videos, so that its numbers are exact; these differ from them where the
instance has counted frames or time otherwise.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import Item, Manifest, VideoEntry, rebuild_manifest
from mouse_ar.core.splitting import Split
from mouse_ar.core.types import merge_intervals
from mouse_ar.data.annotations import PROVENANCE_KEY
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.plan import choose_splits, plan_entries, scanned_ethogram
from mouse_ar.sly.input_summary import InputSummary
from mouse_ar.sly.names import dataset_to_local, name_to_local
from mouse_ar.sly.preprocess_project import manifest_path, with_lost_pending
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.team_files import download_file, find_file

__all__ = ["State", "TrainingPreview", "made_before", "preview_training", "video_states"]


class State(StrEnum):
    """Where a video of the input stands."""

    NEW = "new"
    CHANGED = "changed"
    SETTINGS = "other settings"
    UNFINISHED = "unfinished"
    DONE = "up to date"


@dataclass(frozen=True)
class TrainingPreview:
    """The plan of a run.

    Args:
        states: where each video stands, by key.
        splits: of each video, by key.
        clips: videos that each dataset of Training Data will have.
        before: frames of each class in the training videos.
        after: frames of each class in the clips made of them.
        gone: keys of videos that were used before and are not in the input any more.
    """

    states: Mapping[str, State]
    splits: Mapping[str, Split]
    clips: Mapping[str, int]
    before: Mapping[str, int]
    after: Mapping[str, int]
    gone: tuple[str, ...]

    @property
    def todo(self) -> list[str]:
        """Keys of the videos that a run works on."""
        return [key for key, state in self.states.items() if state is not State.DONE]


def made_before(target: RemoteProject, *, team_id: int) -> Manifest:
    """What earlier runs have made, from Team Files or else from the provenance of the items.

    Nothing is written.

    Raises:
        TransferError: the instance failed.
        ManifestError: the manifest is damaged.
    """
    paths = {number: dataset_to_local(path) for path, number in target.datasets().items()}
    made = {
        f"{paths[video.dataset_id]}/{name_to_local(video.name)}": video
        for video in target.videos()
        if video.dataset_id in paths
    }
    path = manifest_path(target)
    if find_file(target.connection, path, team_id=team_id) is not None:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "manifest.json"
            download_file(target.connection, path, local, team_id=team_id)
            manifest = Manifest.from_json(local.read_text(encoding="utf-8"))
            return with_lost_pending(manifest, made)
    found = []
    for key, video in made.items():
        stored = video.custom_data.get(PROVENANCE_KEY) or {}
        if "entry" in stored:
            part, (dataset, _, name) = stored["item"], key.rpartition("/")
            found.append((Item(dataset, name, part["start_frame"], part["end_frame"]), stored))
    return rebuild_manifest(found)


def preview_training(
    summary: InputSummary,
    *,
    manifest: Manifest,
    config: PreprocessConfig,
    settings: Mapping[Split, str] | None = None,
) -> TrainingPreview:
    """Plan a run without fetching a video.

    Args:
        summary: the input.
        manifest: what earlier runs have made.
        config: settings.
        settings: see :func:`~mouse_ar.pipelines.plan.item_settings`; None where the detector is
            not known yet, and then a change of settings is not noticed.

    Raises:
        ValueError: the settings do not fit the videos, such as more test videos than videos.
    """
    states = video_states(summary, manifest, settings=settings)
    videos = {key: summary.videos[key] for key in states}
    splits = choose_splits(videos, manifest=manifest, config=config, wanted={})
    changed = [key for key, state in states.items() if state not in (State.DONE, State.UNFINISHED)]
    kept = Manifest({k: e for k, e in manifest.entries.items() if k not in changed})
    planned = plan_entries(
        [(videos[key], summary.meta(key)) for key in changed],
        splits=splits,
        manifest=kept,
        actions=summary.actions,
        config=config,
        settings=settings or dict.fromkeys(Split, ""),
    )
    entries = [*kept.entries.values(), *planned]
    train = [key for key in videos if splits[key] is Split.TRAIN]
    return TrainingPreview(
        states=states,
        splits={key: splits[key] for key in states},
        clips=Counter(item.dataset for entry in entries for item in entry.items),
        before=summary.frames(train),
        after=_frames(entries, summary, actions=summary.actions),
        gone=tuple(sorted(set(manifest.entries) - set(summary.remote))),
    )


def video_states(
    summary: InputSummary, manifest: Manifest, *, settings: Mapping[Split, str] | None = None
) -> dict[str, State]:
    """Where each usable video of the input stands; see :func:`preview_training`.

    Videos of which neither the instance nor the annotation knows the length are left out.
    """
    return {
        key: _state(summary, key, manifest.entries.get(key), settings)
        for key in sorted(summary.videos)
        if summary.meta(key).num_frames
    }


def _state(
    summary: InputSummary,
    key: str,
    entry: VideoEntry | None,
    settings: Mapping[Split, str] | None,
) -> State:
    if entry is None:
        return State.NEW
    scanned = summary.videos[key]
    other_file = bool(scanned.sha256) and entry.source_sha256 != scanned.sha256
    if other_file or entry.annotation != scanned.labels:
        return State.CHANGED
    if settings is not None and entry.settings != settings[entry.split]:
        return State.SETTINGS
    return State.DONE if entry.done else State.UNFINISHED


def _frames(
    entries: list[VideoEntry], summary: InputSummary, *, actions: ActionSet
) -> dict[str, int]:
    """Frames of each class in clips, by the labels that they bear."""
    found: Counter[str] = Counter(dict.fromkeys(actions.classes, 0))
    for entry in entries:
        if entry.split is not Split.TRAIN or entry.key not in summary.videos:
            continue
        ethogram = scanned_ethogram(summary.videos[entry.key], summary.meta(entry.key))
        for item in entry.items:
            bouts = [
                (bout.action, clipped)
                for bout in ethogram.bouts
                if (clipped := bout.interval.clip(item.interval)) is not None
            ]
            for action in actions.names:
                own = [interval for name, interval in bouts if name == action]
                found[action] += sum(i.length for i in merge_intervals(own))
            busy = sum(i.length for i in merge_intervals(i for _, i in bouts))
            found[actions.background] += item.interval.length - busy
    return dict(found)
