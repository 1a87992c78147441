from __future__ import annotations

from pathlib import Path

import numpy as np

from mouse_ar.data.local_project import LocalProject
from mouse_ar.synthetic import SyntheticConfig, make_video, write_dataset
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import iter_frames

CONFIG = SyntheticConfig(num_videos=2, seconds_per_video=6.0, seed=5, twitches_per_minute=20.0)


def test_project_holds_videos_and_labels(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_dataset(
        CONFIG, tmp_path / "p", boxes=True, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(1, 2), (2, 2)]
    project = LocalProject.open(tmp_path / "p")
    assert project.incomplete() == []
    assert not list((tmp_path / "p").glob(".synthetic-*"))
    for index, item in enumerate(project.videos()):
        video = make_video(CONFIG, index)
        assert item.key == f"synthetic/{video.name}.mp4"
        annotation = project.read(item)
        assert annotation.bouts == video.ethogram.bouts
        assert annotation.track is not None
        np.testing.assert_allclose(annotation.track.boxes_T4, video.track.boxes_T4, atol=1.01)
        meta = probe(item.video_path)
        assert (meta.num_frames, meta.width, meta.height) == (150, 256, 192)
        read = np.stack([f for _, f in iter_frames(item.video_path)]).astype(np.float32)
        error = np.abs(read - np.stack(list(video.frames()))).mean()
        assert error < 5, "the file shows other frames"


def test_labels_alone_by_default_and_rewriting_changes_nothing(tmp_path: Path) -> None:
    first = write_dataset(CONFIG, tmp_path / "p")
    assert first.read(first.videos()[0]).track is None
    before = {p: p.read_bytes() for p in sorted((tmp_path / "p").rglob("*")) if p.is_file()}
    write_dataset(CONFIG, tmp_path / "p")
    after = {p: p.read_bytes() for p in sorted((tmp_path / "p").rglob("*")) if p.is_file()}
    assert before == after
