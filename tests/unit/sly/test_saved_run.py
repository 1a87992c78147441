from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from mouse_ar.sly.saved_run import RunStore
from mouse_ar.sly.train_request import TrainRequest

REQUEST = TrainRequest("first", tiny.TRAIN, "cpu", {"active": "run"}, remote="/experiments/1_a/2/")


def test_a_new_process_finds_the_run(tmp_path: Path) -> None:
    assert RunStore(tmp_path).last() is None
    run = RunStore(tmp_path).begin(REQUEST, project_id=5)
    assert RunStore(tmp_path).last() == run
    assert run.status == "unfinished"
    RunStore(tmp_path).finish(run, "stopped")
    found = RunStore(tmp_path).last()
    assert found is not None
    assert (found.status, found.request) == ("stopped", REQUEST)


def test_only_the_last_run_keeps_its_folder(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first = store.begin(REQUEST, project_id=5)
    (first.folder / "run").mkdir()
    second = store.begin(REQUEST, project_id=5)
    assert second.folder != first.folder
    assert not first.folder.exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"status": "odd"}', '{"status": "done", "request": {"name": 1}}']
)
def test_a_record_that_cannot_be_read_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert RunStore(tmp_path).last() is None
