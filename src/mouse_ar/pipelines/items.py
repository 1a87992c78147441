"""Writes what a source video contributes to Training Data: clips, or a full-length copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mouse_ar.core.manifest import Item, Manifest, VideoEntry, rebuild_manifest, slug
from mouse_ar.core.types import Interval, Track
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.plan import scanned_ethogram
from mouse_ar.pipelines.scan import ScannedVideo
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.writer import cut_clips

__all__ = ["ItemWriter"]

_PROVENANCE = "training-data"


class ItemWriter:
    """The items of a Training Data project; made aside and moved into place.

    Args:
        project: the Training Data project, opened while its lock is held.
        staging: folder for what is not finished.
        config: settings of the clips.
    """

    def __init__(self, project: LocalProject, *, staging: Path, config: PreprocessConfig) -> None:
        self._project, self._staging, self._config = project, staging, config
        items = [*project.videos(), *(video for video, _ in project.incomplete())]
        self._found = [(video.dataset, video.name) for video in items]

    def make_clips(
        self,
        entry: VideoEntry,
        scanned: ScannedVideo,
        meta: VideoMeta,
        track: Track,
        *,
        progress: Callable[[int, int], None],
    ) -> None:
        """Cut the clips of a training video and write their annotations."""
        staging = self._staging / slug(entry.key)
        staged = {(i.dataset, i.name): staging / i.dataset / i.name for i in entry.items}
        for path in staged.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        cuts = cut_clips(
            meta.path,
            [(staged[i.dataset, i.name], i.interval) for i in entry.items],
            short_side=self._config.short_side,
            crf=self._config.crf,
            meta=meta,
            progress=progress,
        )
        ethogram = scanned_ethogram(scanned, meta)
        for item, cut in zip(entry.items, cuts, strict=True):
            annotation = VideoAnnotation(
                num_frames=item.interval.length,
                width=cut.width,
                height=cut.height,
                bouts=ethogram.crop(item.interval).bouts,
                ignored=_inside(scanned.annotation.ignored, item.interval),
                track=track.crop(item.interval).scaled(cut.scale_x, cut.scale_y),
            )
            self._place(staged[item.dataset, item.name], item, entry, annotation, fps=meta.fps)
        shutil.rmtree(self._staging, ignore_errors=True)

    def copy_original(
        self, entry: VideoEntry, scanned: ScannedVideo, meta: VideoMeta, track: Track
    ) -> None:
        """Place a val or test video in full length with its labels and boxes."""
        item = entry.items[0]
        annotation = VideoAnnotation(
            num_frames=meta.num_frames,
            width=meta.width,
            height=meta.height,
            bouts=scanned_ethogram(scanned, meta).bouts,
            ignored=_inside(scanned.annotation.ignored, Interval(0, meta.num_frames)),
            tags=_cut(scanned.annotation.tags, Interval(0, meta.num_frames)),
            video_tags=scanned.annotation.video_tags,
            track=track,
        )
        # A changed original takes the place of the one before it.
        self._project.remove(item.dataset, item.name)
        self._project.add_video(item.dataset, item.name, meta.path)
        self._write(item, entry, annotation, fps=meta.fps)

    def _place(
        self,
        staged: Path,
        item: Item,
        entry: VideoEntry,
        annotation: VideoAnnotation,
        *,
        fps: float,
    ) -> None:
        path = self._project.video(item.dataset, item.name).video_path
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(path)
        self._write(item, entry, annotation, fps=fps)

    def _write(
        self, item: Item, entry: VideoEntry, annotation: VideoAnnotation, *, fps: float
    ) -> None:
        provenance: dict[str, Any] = {
            "kind": _PROVENANCE,
            "item": {"start_frame": item.start_frame, "end_frame": item.end_frame_inclusive},
            "fps": fps,
            "entry": entry.to_dict(),
        }
        self._project.write(item.dataset, item.name, annotation, provenance=provenance)

    def remove(self, key: str, *, keep: frozenset[tuple[str, str]]) -> None:
        """Remove a source's items that are not to be kept; its slug is unique to it."""
        for dataset, name in self._found:
            if name.startswith(slug(key)) and (dataset, name) not in keep:
                self._project.remove(dataset, name)

    def rebuild_manifest(self) -> Manifest:
        """A lost manifest, from the provenance of the items."""
        found: list[tuple[Item, Mapping[str, Any]]] = []
        for video in self._project.videos():
            stored = self._project.read(video).provenance
            if stored.get("kind") == _PROVENANCE:
                part = stored["item"]
                item = Item(video.dataset, video.name, part["start_frame"], part["end_frame"])
                found.append((item, stored))
        return rebuild_manifest(found)


def _inside(intervals: tuple[Interval, ...], part: Interval) -> tuple[Interval, ...]:
    clipped = (i.clip(part) for i in intervals)
    return tuple(i.shift(-part.start) for i in clipped if i is not None)


def _cut(tags: tuple[ProjectTag, ...], part: Interval) -> tuple[ProjectTag, ...]:
    clipped = ((tag, tag.interval.clip(part)) for tag in tags if tag.interval is not None)
    return tuple(replace(tag, interval=interval) for tag, interval in clipped if interval)
