from __future__ import annotations

from pathlib import Path

import pytest

from mouse_ar.data.config_files import load_actions
from mouse_ar.data.importers import import_annotations
from mouse_ar.pipelines.store import BusyError
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.labels import LabelTarget
from mouse_ar.sly.lease import leased
from mouse_ar.sly.project import RemoteProject
from supervisely_double import Double

GROOMING, _ = load_actions().names


def test_nothing_is_imported_once_the_project_is_lost(
    connection: Connection, double: Double, clips: list[Path], tmp_path: Path
) -> None:
    project = RemoteProject.open(connection, double.add_project("p"))
    dataset = project.dataset(["d"])
    videos = [double.add_video(dataset, clips[n], name=f"{n}.mp4") for n in range(3)]
    rows = [f"{n}.mp4,{GROOMING},2,5" for n in range(3)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["video,action,start_frame,end_frame", *rows]))

    with leased(project, settle_seconds=0) as lease:

        def lose(done: int, total: int) -> None:
            if done == 2:
                lease._lost = "another run has it"

        with pytest.raises(BusyError, match="another run has it"):
            import_annotations(LabelTarget(project, lease), [table], progress=lose)

    assert [len(double.annotation(video)["tags"]) for video in videos] == [1, 1, 0]
