"""Input Project -> Training Data project, incrementally.

The unit of work is one source video. The whole plan is written to the manifest before the first
clip; each video's items are built aside and moved into place, then the video is marked done. A
kill at any moment therefore leaves a state from which the next run goes on as planned.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import Item, Manifest, VideoEntry
from mouse_ar.core.splitting import Split
from mouse_ar.core.types import Track
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.fleet.tasks import FleetDetection
from mouse_ar.pipelines.items import ItemWriter
from mouse_ar.pipelines.media import LocalMedia, Media, VideoFacts
from mouse_ar.pipelines.plan import (
    choose_splits,
    item_settings,
    labels_past_end,
    plan_entries,
)
from mouse_ar.pipelines.preprocess_report import PreprocessReport
from mouse_ar.pipelines.scan import Scan, ScannedVideo, scan_project
from mouse_ar.pipelines.store import Store, refuse_foreign, refuse_overlap
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["PreprocessReport", "preprocess"]

Progress = Callable[[str, int, int], None]
Publish = Callable[[str, tuple[Item, ...]], None]


def preprocess(
    source: Path,
    target: Path,
    *,
    actions: ActionSet,
    config: PreprocessConfig,
    detector: Detector,
    groups: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    remove_deleted: bool = False,
    unreadable: Mapping[str, str] | None = None,
    media: Media | None = None,
    publish: Publish | None = None,
    keep: Callable[[Manifest], None] | None = None,
    progress: Progress | None = None,
    fleet: FleetDetection | None = None,
) -> PreprocessReport:
    """Bring a Training Data project up to date with its input.

    Args:
        source: Input Project in Supervisely video format; never changed.
        target: Training Data project; created or continued.
        actions: classes.
        config: settings.
        detector: finds the mouse.
        groups: group of a video by key; a group is never split between train and test.
        splits: wanted split of a video by key, over any that it had; the others are dealt out.
        remove_deleted: remove what was made of videos that are no longer in the input.
        unreadable: cause by key of videos that are not to be touched in this run, as they or what
            was made of them cannot be read now; they are failures, and what they have stays.
        media: where the video files of the input are; where they belong, by default. With it,
            both projects may be mirrors without video files.
        publish: called with a source's key and its items once they are all in place (or, without
            items, once they are removed) and before the source counts as done.
        keep: called with the manifest each time it is saved.
        progress: called with (what, done, total). What it raises ends the run, which can be
            continued.
        fleet: finds the mouse in place of this process, with the same detector; not with ``media``.

    Raises:
        BusyError: another run writes to the same project.
        FileNotFoundError: no project at ``source``.
        FileExistsError: ``target`` holds something that is no project.
        ValueError: ``source`` and ``target`` lie inside one another.
    """
    refuse_overlap(source, target)
    run = _Run(
        source,
        target,
        actions=actions,
        config=config,
        detector=detector,
        media=media,
        publish=publish,
        keep=keep,
        progress=progress,
        fleet=fleet,
    )
    refuse_foreign(target, actions=actions, confidence=False)
    with run.store.lock():
        return run.execute(
            groups or {},
            splits=splits or {},
            remove_deleted=remove_deleted,
            unreadable=unreadable or {},
        )


class _Run:
    """State of one call of :func:`preprocess`."""

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        actions: ActionSet,
        config: PreprocessConfig,
        detector: Detector,
        media: Media | None,
        publish: Publish | None,
        keep: Callable[[Manifest], None] | None,
        progress: Progress | None,
        fleet: FleetDetection | None,
    ) -> None:
        self._fleet = fleet
        self._with_files = media is None
        self._input = LocalProject.open(source, actions=actions, with_files=self._with_files)
        self._target = target
        self.store = Store(target)
        self._actions, self._config = actions, config
        self._media = media or LocalMedia(self.store.hashes)
        self._publish = publish or (lambda key, items: None)
        self._keep = keep or (lambda manifest: None)
        self._progress = progress or (lambda what, done, total: None)
        self._tracker = Tracker(detector=detector, detect_every=config.detect_every)
        self._settings = item_settings(config, detector=detector.fingerprint, actions=actions)

    def execute(
        self,
        groups: Mapping[str, str],
        *,
        splits: Mapping[str, Split],
        remove_deleted: bool,
        unreadable: Mapping[str, str],
    ) -> PreprocessReport:
        project = LocalProject.create(
            self._target, actions=self._actions, with_files=self._with_files
        )
        full_length = (Split.VAL.value, Split.TEST.value)
        self.store.sweep(project, datasets=(*self._actions.datasets, *full_length))
        self._items = ItemWriter(project, staging=self.store.staging, config=self._config)
        manifest = self.store.load(self._items.rebuild_manifest)
        scan = scan_project(
            self._input,
            media=self._media,
            # A group that was given once holds, also in a run without the table.
            groups={k: e.group for k, e in manifest.entries.items() if e.group} | dict(groups),
            unreadable=unreadable,
            progress=lambda done, total: self._progress("reading input", done, total),
        )
        self.store.hashes.save()
        if not (scan.videos or scan.failures or scan.skipped or manifest.entries):
            raise ValueError(
                f"{self._input.path} holds no videos. Expected a project with videos in its "
                "datasets; `mouse-ar import-annotations` makes one of a plain folder."
            )
        report = PreprocessReport(scan=scan, failures=dict(scan.failures))
        manifest = self._forget_deleted(manifest, scan, report, remove=remove_deleted)
        manifest = self._plan(manifest, scan, report, wanted=splits)
        self._save(manifest)
        usable = {k: v for k, v in scan.videos.items() if k not in report.failures}
        pending = [entry for entry in manifest.pending if entry.key in usable]
        with closing(self._in_turn(pending, usable)) as turns:
            for number, (entry, found) in enumerate(turns):
                label = f"video {number + 1}/{len(pending)} {entry.key}"
                self._progress(label, 0, entry.num_frames)
                try:
                    self._process(entry, usable[entry.key], found)
                except VIDEO_FAILURES as error:
                    report.failures[entry.key] = str(error)
                    continue
                done = replace(entry, done=True, finished_at=datetime.now(UTC).isoformat())
                manifest = manifest.with_entry(done)
                self._save(manifest)
                report.processed.append(entry.key)
        report.count(manifest)
        return report

    def _in_turn(
        self, pending: Sequence[VideoEntry], scanned: Mapping[str, ScannedVideo]
    ) -> Generator[tuple[VideoEntry, Track | Exception | None], None, None]:
        """The entries, and on a fleet the tracks of those that have items, as they are found."""
        wanted = {entry.key: entry for entry in pending if self._fleet and entry.items}
        yield from ((entry, None) for entry in pending if entry.key not in wanted)
        if self._fleet is None:
            return
        files = {k: (scanned[k].video.video_path, e.source_sha256) for k, e in wanted.items()}
        found = self._fleet.tracks(
            files,
            tracker=self._tracker,
            detect_every=self._config.detect_every,
            progress=partial(self._progress, "detecting on the cluster"),
        )
        with closing(found):
            for key, track in found:
                yield wanted[key], track

    def _forget_deleted(
        self, manifest: Manifest, scan: Scan, report: PreprocessReport, *, remove: bool
    ) -> Manifest:
        # A prediction whose mark `reviewed` was taken back counts as gone.
        for key in sorted(set(manifest.entries) - set(scan.videos) - set(scan.failures)):
            if not remove:
                report.gone.append(key)
                continue
            # Killed in between, a source that comes back is made again.
            undone = replace(manifest.entries[key], done=False, finished_at=None)
            manifest = manifest.with_entry(undone)
            self._save(manifest)
            try:
                self._remove(key)
            except VIDEO_FAILURES as error:
                report.failures[key] = str(error)
                continue
            manifest = manifest.without(key)
            self._save(manifest)
            report.removed.append(key)
        return manifest

    def _plan(
        self,
        manifest: Manifest,
        scan: Scan,
        report: PreprocessReport,
        *,
        wanted: Mapping[str, Split],
    ) -> Manifest:
        """Plan new and changed videos; entries that are fine stay as they are."""
        changed: list[tuple[ScannedVideo, VideoFacts]] = []
        for key, scanned in sorted(scan.videos.items()):
            entry = manifest.entries.get(key)
            if (
                entry is not None
                and entry.split is wanted.get(key, entry.split)
                and entry.group == scanned.group
                and entry.same_plan(
                    source_sha256=scanned.sha256,
                    annotation=scanned.labels,
                    settings=self._settings[entry.split],
                )
            ):
                report.unchanged += entry.done
                continue
            try:
                facts = self._media.facts(key, scanned.video.video_path, sha256=scanned.sha256)
                changed.append((scanned, facts))
                scan.problems += [f"{key}: {text}" for text in facts.warnings]
                scan.problems += labels_past_end(scanned, facts)
            except VIDEO_FAILURES as error:
                report.failures[key] = str(error)
        # A video that cannot be used takes no place in a split.
        usable = {k: v for k, v in scan.videos.items() if k not in report.failures}
        splits = choose_splits(usable, manifest=manifest, config=self._config, wanted=wanted)
        kept = Manifest(
            {k: e for k, e in manifest.entries.items() if k not in {s.key for s, _ in changed}}
        )
        entries = plan_entries(
            changed,
            splits=splits,
            manifest=kept,
            actions=self._actions,
            config=self._config,
            settings=self._settings,
        )
        for entry in entries:
            kept = kept.with_entry(entry)
        return kept

    def _remove(self, key: str) -> None:
        self._items.remove(key, keep=frozenset())
        self._publish(key, ())

    def _save(self, manifest: Manifest) -> None:
        self.store.save(manifest)
        self._keep(manifest)

    def _process(
        self, entry: VideoEntry, scanned: ScannedVideo, found: Track | Exception | None
    ) -> None:
        """Make all items of one video, then remove what an earlier plan left of it."""
        if isinstance(found, Exception):
            raise found
        if not entry.items:
            self._remove(entry.key)
            return
        with self._media.opened(entry.key, scanned.video.video_path) as path:
            self._make(entry, scanned, probe(path), found)
        self._items.remove(entry.key, keep=frozenset((i.dataset, i.name) for i in entry.items))
        self._publish(entry.key, entry.items)

    def _make(
        self, entry: VideoEntry, scanned: ScannedVideo, meta: VideoMeta, track: Track | None
    ) -> None:
        track = track or self._tracker.track(
            meta,
            sha256=entry.source_sha256,
            progress=lambda done, total: self._progress(f"detecting {entry.key}", done, total),
        )
        if entry.split is Split.TRAIN:
            self._items.make_clips(
                entry,
                scanned,
                meta,
                track,
                progress=lambda done, total: self._progress(f"cutting {entry.key}", done, total),
            )
        else:
            self._items.copy_original(entry, scanned, meta, track)
