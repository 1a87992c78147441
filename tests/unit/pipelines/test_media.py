"""Runs over mirrors without video files: the same results, with one video on disk at a time."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tiny
from colour_model import predictor
from mouse_ar.core.manifest import Item, Manifest
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.media import VideoFacts, probed_facts
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.pipelines.results import VideoResult
from tiny import ACTIONS


class FarMedia:
    """The videos of another project, copied here for as long as they are needed."""

    def __init__(self, project: LocalProject) -> None:
        self._paths = {video.key: video.video_path for video in project.videos()}
        self.here = 0
        self.fetched: list[str] = []

    def sha256(self, key: str, path: Path) -> str:
        assert not path.exists()
        return hashlib.sha256(self._paths[key].read_bytes()).hexdigest()

    @contextmanager
    def opened(self, key: str, path: Path) -> Iterator[Path]:
        self.here += 1
        assert self.here == 1
        self.fetched.append(key)
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(self._paths[key], path)
        yield path
        path.unlink()
        self.here -= 1

    def facts(self, key: str, path: Path, *, sha256: str) -> VideoFacts:
        with self.opened(key, path) as file:
            return probed_facts(file)


@pytest.fixture
def far(tmp_path: Path) -> LocalProject:
    labels = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "g.mp4")}
    project = tiny.write_project(tmp_path / "far", labels)
    shutil.copytree(project.path, tmp_path / "mirror", ignore=shutil.ignore_patterns("*.mp4"))
    return project


def test_preprocessing_publishes_what_it_makes(far: LocalProject, tmp_path: Path) -> None:
    target, published = tmp_path / "target", tmp_path / "published"
    kept: list[Manifest] = []

    def publish(key: str, items: tuple[Item, ...]) -> None:
        assert not kept[-1].entries[key].done
        project = LocalProject.open(target, with_files=False)
        for item in items:
            path = project.video(item.dataset, item.name).video_path
            (published / item.dataset).mkdir(parents=True, exist_ok=True)
            shutil.move(path, published / item.dataset / item.name)

    def run(source: Path, target: Path, **options: object) -> object:
        return preprocess(
            source,
            target,
            actions=ACTIONS,
            config=PreprocessConfig(detect_every=4),
            detector=tiny.BoxDetector(),
            **options,  # type: ignore[arg-type]
        )

    media = FarMedia(far)
    mirror = tmp_path / "mirror"
    run(mirror, target, media=media, publish=publish, keep=kept.append)
    assert set(media.fetched) == {video.key for video in far.videos()}
    assert not list(target.rglob("*.mp4")) + list(mirror.rglob("*.mp4"))
    assert all(entry.done for entry in kept[-1].entries.values())

    run(far.path, tmp_path / "plain")
    plain = LocalProject.open(tmp_path / "plain")
    made = {v.key: v for v in LocalProject.open(target, with_files=False).videos()}
    assert set(made) == {video.key for video in plain.videos()}
    for video in plain.videos():
        assert made[video.key].ann_path.read_bytes() == video.ann_path.read_bytes()
        assert (published / video.key).read_bytes() == video.video_path.read_bytes()

    media.fetched.clear()
    run(mirror, target, media=media, publish=publish, keep=kept.append)
    assert media.fetched == []


def test_what_is_removed_is_published_too(far: LocalProject, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    for _ in range(2):
        preprocess(
            tmp_path / "mirror",
            tmp_path / "target",
            actions=ACTIONS,
            config=PreprocessConfig(detect_every=4),
            detector=tiny.BoxDetector(),
            remove_deleted=True,
            media=FarMedia(far),
            publish=lambda key, items: told.append((key, len(items))),
        )
        gone = LocalProject.open(tmp_path / "mirror").video(tiny.DATASET, "a.mp4")
        gone.ann_path.unlink(missing_ok=True)
    assert told[-1] == ("cohort/day1/a.mp4", 0)


def test_inference_publishes_each_video(far: LocalProject, tmp_path: Path) -> None:
    output = tmp_path / "out"
    told: list[str] = []

    def publish(result: VideoResult) -> None:
        dataset, name = result.key.rsplit("/", 1)
        video = LocalProject.open(output / "project", with_files=False).video(dataset, name)
        assert video.ann_path.is_file()
        video.video_path.unlink(missing_ok=True)
        told.append(result.key)

    for fetched in (3, 0):
        media = FarMedia(far)
        report = infer(
            tmp_path / "mirror",
            output,
            predictor=predictor(),
            detector=tiny.BoxDetector(),
            media=media,
            publish=publish,
        )
        assert len(media.fetched) == fetched
        assert not report.failures
        assert not report.warnings
    assert told == [video.key for video in far.videos()] * 2
    assert len(report.resumed) == 3
    tables = {name: (output / name).read_bytes() for name in ("bouts.csv", "summary.csv")}
    assert not list(output.rglob("*.mp4"))

    infer(far.path, tmp_path / "plain", predictor=predictor(), detector=tiny.BoxDetector())
    for name, content in tables.items():
        assert (tmp_path / "plain" / name).read_bytes() == content
