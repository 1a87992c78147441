"""The manifest: canonical text, damage, and its recovery from provenance."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.manifest import (
    Item,
    Manifest,
    ManifestError,
    VideoEntry,
    clip_name,
    fingerprint,
    rebuild_manifest,
    slug,
)
from mouse_ar.core.splitting import Split
from mouse_ar.core.types import Interval


def entry(key: str = "day1/a.mp4", **changes: Any) -> VideoEntry:
    made = VideoEntry(
        key=key,
        source_sha256="ab" * 32,
        annotation="labels",
        settings="settings",
        split=Split.TRAIN,
        group=None,
        num_frames=100,
        fps=25.0,
        action_frames=30,
        idle_frames=20,
        items=(
            Item("Self-Grooming", clip_name(key, Interval(0, 50)), 0, 49),
            Item("idle", clip_name(key, Interval(60, 100)), 60, 99),
        ),
    )
    return replace(made, **changes)


def provenance(made: VideoEntry) -> list[tuple[Item, dict[str, Any]]]:
    return [(item, {"entry": made.to_dict()}) for item in made.items]


def test_text_is_canonical_and_comes_back() -> None:
    a, b = entry("day1/a.mp4", done=True, finished_at="2024-01-01"), entry("day1/b.mp4")
    manifest = Manifest().with_entry(b).with_entry(a)

    assert manifest.to_json() == Manifest().with_entry(a).with_entry(b).to_json()
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.pending == [b]
    assert list(manifest.without("day1/b.mp4").entries) == ["day1/a.mp4"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"version": 1}',
        '{"version": 1, "videos": [{}]}',
        Manifest().with_entry(entry()).to_json().replace('"train"', '"banana"'),
        Manifest().with_entry(entry()).to_json()[:-30],
    ],
)
def test_damage_is_told_with_the_way_out(text: str) -> None:
    with pytest.raises(ManifestError, match=r"is damaged .* Delete it: the next run rebuilds it"):
        Manifest.from_json(text)


def test_other_version_is_told() -> None:
    text = json.dumps({"version": 7, "videos": [{"something": "else"}]})
    with pytest.raises(ManifestError, match="has version 7, expected 1"):
        Manifest.from_json(text)


def test_rebuilt_from_provenance_equals_the_lost_one() -> None:
    a = entry("day1/a.mp4", done=True, finished_at="2024-01-01")
    b = entry("day1/b.mp4", done=True, split=Split.TEST, group="m1")
    # Provenance is written while the video is being made.
    written = [replace(made, done=False, finished_at=None) for made in (a, b)]

    rebuilt = rebuild_manifest([pair for made in written for pair in provenance(made)])

    assert rebuilt == Manifest({a.key: replace(a, finished_at=None), b.key: b})


def test_missing_item_makes_a_rebuilt_entry_pending() -> None:
    rebuilt = rebuild_manifest(provenance(entry())[:1])
    assert [e.key for e in rebuilt.pending] == ["day1/a.mp4"]


@pytest.mark.parametrize("field", ["source_sha256", "annotation", "settings"])
def test_plan_is_the_same_only_when_everything_is(field: str) -> None:
    same = {"source_sha256": "ab" * 32, "annotation": "labels", "settings": "settings"}
    assert entry().same_plan(**same)
    assert not entry().same_plan(**{**same, field: "other"})


@given(st.text(max_size=80), st.text(max_size=80))
def test_slugs_are_safe_and_tell_keys_apart(one: str, other: str) -> None:
    assert all(c.isalnum() or c in "-_." for c in slug(one))
    assert "/" not in slug(one)
    assert not slug(one).startswith(".")
    assert (slug(one) == slug(other)) == (one == other)


def test_clip_names_hold_inclusive_frames() -> None:
    assert clip_name("day1/a b.mp4", Interval(5, 65)).endswith("_000005-000064.mp4")


def test_fingerprint_ignores_the_order_of_keys_only() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint([1, 2]) != fingerprint([2, 1])
