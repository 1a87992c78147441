"""What has been processed, from what, with which settings; pure data, no files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mouse_ar.core.splitting import Split
from mouse_ar.core.types import Interval

__all__ = [
    "Item",
    "Manifest",
    "ManifestError",
    "VideoEntry",
    "clip_name",
    "fingerprint",
    "rebuild_manifest",
    "slug",
]

VERSION = 1


class ManifestError(ValueError):
    """A manifest that cannot be read or belongs to another version."""


def fingerprint(value: Any) -> str:
    """Short stable hash of plain values (JSON with sorted keys, SHA-256, 16 hex digits)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def slug(key: str) -> str:
    """File-name-safe unique short name of a video key: its stem plus a hash of the whole key."""
    stem = key.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    safe = "".join(c if c.isalnum() or c in "-." else "_" for c in stem)[:60].strip("._") or "video"
    return f"{safe}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def clip_name(key: str, interval: Interval) -> str:
    """Name of the clip cut from a video; frame numbers are inclusive, as users see them."""
    first, last = interval.inclusive
    return f"{slug(key)}_{first:06d}-{last:06d}.mp4"


@dataclass(frozen=True)
class Item:
    """One video of the Training Data project: a clip, or a full-length original."""

    dataset: str
    name: str
    start_frame: int
    end_frame_inclusive: int

    @property
    def interval(self) -> Interval:
        """Frames of the source video."""
        return Interval.from_inclusive(self.start_frame, self.end_frame_inclusive)


@dataclass(frozen=True)
class VideoEntry:
    """One source video: its identity, its part in the plan, and whether that is done.

    Args:
        key: ``dataset/name`` in the input project.
        source_sha256: hash of the file's bytes.
        annotation: fingerprint of what the annotation says.
        settings: fingerprint of the settings that shape the items.
        split: train, val or test.
        action_frames: frames with any action (what idle is balanced against).
        idle_frames: idle frames sampled from it.
        items: what it contributes to Training Data.
        done: all items are in place.
        finished_at: ISO time, the only field that differs between equal runs.
    """

    key: str
    source_sha256: str
    annotation: str
    settings: str
    split: Split
    group: str | None
    num_frames: int
    fps: float
    action_frames: int
    idle_frames: int
    items: tuple[Item, ...]
    done: bool = False
    finished_at: str | None = None

    def same_plan(self, *, source_sha256: str, annotation: str, settings: str) -> bool:
        """Whether the entry was made from the same file, labels and settings."""
        return (self.source_sha256, self.annotation, self.settings) == (
            source_sha256,
            annotation,
            settings,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"split": self.split.value, "items": [asdict(i) for i in self.items]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VideoEntry:
        """Inverse of :meth:`to_dict`."""
        values = dict(data)
        values["split"] = Split(values["split"])
        values["items"] = tuple(Item(**item) for item in values["items"])
        return cls(**values)


@dataclass(frozen=True)
class Manifest:
    """All source videos of a Training Data project, by key."""

    entries: Mapping[str, VideoEntry] = field(default_factory=dict)

    def with_entry(self, entry: VideoEntry) -> Manifest:
        """A copy in which one entry is added or replaced."""
        return Manifest({**self.entries, entry.key: entry})

    def without(self, key: str) -> Manifest:
        """A copy that lacks one video."""
        return Manifest({k: e for k, e in self.entries.items() if k != key})

    @property
    def pending(self) -> list[VideoEntry]:
        """Entries that are planned but not in place, by key."""
        return [self.entries[key] for key in sorted(self.entries) if not self.entries[key].done]

    def to_json(self) -> str:
        """Canonical text: equal contents give equal bytes."""
        videos = [self.entries[key].to_dict() for key in sorted(self.entries)]
        return json.dumps({"version": VERSION, "videos": videos}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Inverse of :meth:`to_json`.

        Raises:
            ManifestError: not JSON, another version, or missing fields.
        """
        try:
            data = json.loads(text)
            version = data.get("version")
            entries = [VideoEntry.from_dict(v) for v in data["videos"] if version == VERSION]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ManifestError(
                f"The manifest is damaged ({error!r}). Delete it: the next run rebuilds it from "
                "the clips."
            ) from error
        if version != VERSION:
            raise ManifestError(
                f"The manifest has version {version!r}, expected {VERSION}. Delete it: the next "
                "run rebuilds it from the clips."
            )
        return cls({entry.key: entry for entry in entries})


def rebuild_manifest(provenance: Iterable[tuple[Item, Mapping[str, Any]]]) -> Manifest:
    """Recover a lost manifest from the items' own provenance.

    Every item carries its source's whole entry, so any item of a video restores it; an entry
    whose items are not all present comes back as not done and is processed again.

    Args:
        provenance: every item found, with the provenance stored on it.
    """
    entries: dict[str, VideoEntry] = {}
    present: dict[str, set[tuple[str, str]]] = {}
    for item, stored in provenance:
        entry = VideoEntry.from_dict(stored["entry"])
        entries[entry.key] = replace(entry, done=False, finished_at=None)
        present.setdefault(entry.key, set()).add((item.dataset, item.name))
    return Manifest(
        {
            key: replace(
                entry, done={(i.dataset, i.name) for i in entry.items} <= present.get(key, set())
            )
            for key, entry in entries.items()
        }
    )
