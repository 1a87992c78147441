"""Decide what each source video contributes to Training Data, before anything is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Protocol

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.balancing import idle_budget, idle_regions, plan_idle_clips
from mouse_ar.core.manifest import Item, Manifest, VideoEntry, clip_name, fingerprint, slug
from mouse_ar.core.splitting import Split, VideoSummary, assign_splits
from mouse_ar.core.trimming import clip_frame_limits, plan_action_clips
from mouse_ar.core.types import Ethogram, Interval, merge_intervals
from mouse_ar.detection.tracking import TRACKING_VERSION
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.scan import ScannedVideo

__all__ = [
    "Timed",
    "choose_splits",
    "item_settings",
    "labels_past_end",
    "plan_entries",
    "scanned_ethogram",
]


class Timed(Protocol):
    """A video's length: of a probe, or of what is known without its file."""

    @property
    def num_frames(self) -> int:
        """Frames that readers deliver."""

    @property
    def fps(self) -> float:
        """Average frames per second."""


def item_settings(
    config: PreprocessConfig, *, detector: str, actions: ActionSet
) -> dict[Split, str]:
    """Fingerprint, by split, of all that shapes the items of a video besides the video itself.

    Args:
        config: settings.
        detector: its fingerprint.
        actions: classes.
    """
    made_by = [detector, TRACKING_VERSION, actions.without_colors()]
    return {split: fingerprint([config.item_settings(split), *made_by]) for split in Split}


def choose_splits(
    videos: Mapping[str, ScannedVideo],
    *,
    manifest: Manifest,
    config: PreprocessConfig,
    wanted: Mapping[str, Split],
) -> dict[str, Split]:
    """Split of every video: the one wanted, else the one it has, else a new one.

    What is kept of videos that are gone still binds their groups.
    """
    had = {k: e.split for k, e in manifest.entries.items()}
    kept = [e for e in manifest.entries.values() if e.key not in videos]
    return assign_splits(
        [
            *(VideoSummary(key=v.key, group=v.group, counts=v.counts) for v in videos.values()),
            *(VideoSummary(key=e.key, group=e.group) for e in kept),
        ],
        previous={**had, **{k: split for k, split in wanted.items() if k in videos}},
        test_videos=config.test_videos,
        val_share=config.val_share,
        seed=config.seed,
    )


def plan_entries(
    videos: Iterable[tuple[ScannedVideo, Timed]],
    *,
    splits: Mapping[str, Split],
    manifest: Manifest,
    actions: ActionSet,
    config: PreprocessConfig,
    settings: Mapping[Split, str],
) -> list[VideoEntry]:
    """Entries of new or changed videos.

    Entries that stay count towards the balance but are not touched, so that one new video never
    changes what was made of the others.

    Args:
        videos: those to plan, with their length.
        splits: split of every video of the project.
        manifest: what stays as it is.
        actions: classes.
        config: settings.
        settings: fingerprint that the entries of each split carry.
    """
    entries = [
        _entry(
            scanned,
            meta,
            split=splits[scanned.key],
            settings=settings[splits[scanned.key]],
        )
        for scanned, meta in sorted(videos, key=lambda pair: pair[0].key)
    ]
    metas = {scanned.key: (scanned, meta) for scanned, meta in videos}
    planned: list[VideoEntry] = []
    regions: dict[str, list[Interval]] = {}
    for entry in entries:
        scanned, meta = metas[entry.key]
        ethogram = scanned_ethogram(scanned, meta)
        if entry.split is not Split.TRAIN:
            planned.append(_with(entry, items=(_full_length(entry, scanned),)))
            continue
        clips = plan_action_clips(
            ethogram,
            actions=actions,
            min_seconds=config.min_seconds,
            max_seconds=config.max_seconds,
        )
        items = tuple(
            Item(c.dataset, clip_name(entry.key, c.interval), *c.interval.inclusive) for c in clips
        )
        planned.append(
            _with(entry, items=items, action_frames=_action_frames(ethogram, items, actions))
        )
        regions[entry.key] = _idle_regions(ethogram, scanned, meta, config)
    return _add_idle(planned, regions, manifest=manifest, actions=actions, config=config)


def scanned_ethogram(scanned: ScannedVideo, meta: Timed) -> Ethogram:
    """The labels of a video; tags past its counted end are cut."""
    video = Interval(0, meta.num_frames)
    bouts = []
    for bout in scanned.annotation.bouts:
        interval = bout.interval.clip(video)
        if interval is not None:
            bouts.append(type(bout)(interval, bout.action, bout.confidence))
    return Ethogram(num_frames=meta.num_frames, fps=meta.fps, bouts=tuple(bouts))


def labels_past_end(scanned: ScannedVideo, meta: Timed) -> list[str]:
    """A line for the report where labels reach over the video's counted frames."""
    past = sum(bout.interval.stop > meta.num_frames for bout in scanned.annotation.bouts)
    if not past:
        return []
    return [
        f"{scanned.key}: {past} labels reach past the last of the video's {meta.num_frames} "
        f"frames (the annotation says {scanned.annotation.num_frames}) and are cut or left out. "
        "Check that the labels belong to this file."
    ]


def _entry(scanned: ScannedVideo, meta: Timed, *, split: Split, settings: str) -> VideoEntry:
    return VideoEntry(
        key=scanned.key,
        source_sha256=scanned.sha256,
        annotation=scanned.labels,
        settings=settings,
        split=split,
        group=scanned.group,
        num_frames=meta.num_frames,
        fps=meta.fps,
        action_frames=0,
        idle_frames=0,
        items=(),
    )


def _with(entry: VideoEntry, **changes: object) -> VideoEntry:
    return replace(entry, **changes)  # type: ignore[arg-type]


def _full_length(entry: VideoEntry, scanned: ScannedVideo) -> Item:
    suffix = PurePosixPath(scanned.video.name).suffix
    return Item(entry.split.value, f"{slug(entry.key)}{suffix}", 0, entry.num_frames - 1)


def _action_frames(ethogram: Ethogram, items: Iterable[Item], actions: ActionSet) -> int:
    """Frames that idle is balanced against: those of state events (grooming).

    Point events cover a handful of frames, which says nothing about how much video of them there
    is; their clips count instead where a video has no state event.
    """
    states = [a.name for a in actions.actions if a.kind is ActionKind.STATE]
    covered = merge_intervals(b.interval for name in states for b in ethogram.of(name))
    return sum(i.length for i in covered) or sum(item.interval.length for item in items)


def _idle_regions(
    ethogram: Ethogram, scanned: ScannedVideo, meta: Timed, config: PreprocessConfig
) -> list[Interval]:
    """Action-free parts, the uncertain ones left out."""
    margin = math.ceil(config.idle_margin_seconds * meta.fps)
    return idle_regions(ethogram, margin_frames=margin, ignored=scanned.annotation.ignored)


def _add_idle(
    entries: list[VideoEntry],
    regions: Mapping[str, list[Interval]],
    *,
    manifest: Manifest,
    actions: ActionSet,
    config: PreprocessConfig,
) -> list[VideoEntry]:
    train = [e for e in entries if e.split is Split.TRAIN]
    kept = [e for e in manifest.entries.values() if e.split is Split.TRAIN]
    budget = idle_budget(
        sum(e.action_frames for e in [*train, *kept]),
        already_sampled=sum(e.idle_frames for e in kept),
        ratio=config.idle_ratio,
    )
    chosen = plan_idle_clips(
        regions,
        budget_frames=budget,
        clip_frames={
            e.key: clip_frame_limits(
                e.fps,
                num_frames=e.num_frames,
                min_seconds=config.min_seconds,
                max_seconds=config.max_seconds,
            )
            for e in train
        },
        seed=config.seed,
    )
    result = []
    for entry in entries:
        idle = tuple(
            Item(actions.background, clip_name(entry.key, i), *i.inclusive)
            for i in chosen.get(entry.key, [])
        )
        frames = sum(item.interval.length for item in idle)
        result.append(_with(entry, items=(*entry.items, *idle), idle_frames=frames))
    return result
