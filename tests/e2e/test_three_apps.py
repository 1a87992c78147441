"""From labels to predictions through the three apps, on a calm day and in a storm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny
from doubles.servers import serving
from e2e.driver import REPO, running_app
from mouse_ar.detection.service import create_app
from supervisely_double import Double, running
from tiny import DATASET, GROOMING, TWITCH

# Every kind of failure, in five of a hundred requests, the detector's included.
STORM = "status stall cut lost cut_body short_body stall_body truncated wrong_bytes html"
LABELS = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "c.mp4", "e.mp4", "g.mp4")}
CONFIG = replace(tiny.TRAIN, epochs=8, samples_per_epoch=96, drop_path=0.0)
BOX = [[12, 8], [51, 55]]  # inclusive pixels


class ServedBoxes(tiny.BoxDetector):
    """As a service has to name it."""

    class_name = "mouse"


@contextmanager
def instance(folder: Path) -> Iterator[tuple[Double, int, str]]:
    """An instance with an Input Project, and a session that finds the mouse."""
    tiny.write_project(folder / "input", LABELS)
    with (
        running(Double(folder / "double")) as double,
        serving(create_app(ServedBoxes())) as detector_url,
    ):
        project = double.add_project("mice", folder=folder / "input")
        yield double, project, f"session:{double.add_task(detector_url)}"


def run(double: Double, app: str, folder: Path, *, project: int, **state: str) -> None:
    """Run an app without a user to the end of its task."""
    task = double.add_task(module=None, name=app)
    environment = {
        **double.environment(),
        "PROJECT_ID": str(project),
        "TASK_ID": str(task),
        "MOUSE_AR_CACHE": str(folder / app / "cache"),
        **{f"modal.state.{name}": value for name, value in {"autorun": "1", **state}.items()},
    }
    with running_app(
        REPO / "apps" / app, folder / app, environment=environment, production=True
    ) as started:
        assert started.ended(600) == 0, started.log


def project_id(double: Double, name: str) -> int:
    return next(p.id for p in double.state.projects.values() if p.name == name)


def everything(folder: Path, *, storm: bool) -> dict[str, Any]:
    """Labels to predictions; what the instance holds in the end."""
    with instance(folder) as (double, project, detector):
        if storm:
            double.fail("*", kinds=STORM, rate=0.05, seed=5, seconds=3.0)
        run(double, "preprocess", folder, project=project, detector=detector)
        training_data = project_id(double, "mice – training data")
        settings = yaml.safe_dump(
            {k: v for k, v in CONFIG.to_dict().items() if k not in {"model", "pretrained"}}
        )
        run(
            double,
            "train",
            folder,
            project=training_data,
            model="vit_tiny",
            settings=settings,
            device="cpu",
        )
        experiment = next(p for p in double.files("/experiments/") if p.endswith("_info.json"))
        info = json.loads(double.files(experiment)[experiment])
        checkpoint = f"{info['artifacts_dir']}checkpoints/{info['best_checkpoint']}"
        run(
            double,
            "infer",
            folder,
            project=project,
            detector=detector,
            checkpoint=checkpoint,
            device="cpu",
        )
        double.faults.clear()
        predictions = project_id(double, "mice (predicted)")
        return {
            "source": double.dump(project),
            "training data": double.dump(training_data),
            "predictions": double.dump(predictions),
            "weights": double.files(checkpoint)[checkpoint],
            "faults": Counter(r.fault for r in double.log.records),
            "of detection": sum(
                bool(r.fault) for r in double.log.records if r.endpoint.startswith("net/")
            ),
            "annotation": double.annotation(double.videos(predictions)[f"{DATASET}/a.mp4"]),
        }


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return everything(tmp_path_factory.mktemp("calm"), storm=False)


@pytest.mark.slow
def test_what_was_labelled_is_found(calm: dict[str, Any]) -> None:
    annotation = calm["annotation"]
    found = {tag["name"]: tag for tag in annotation["tags"]}
    assert set(found) == {GROOMING, TWITCH}
    for action, start, stop in LABELS["a.mp4"]:
        first, last = found[action]["frameRange"]
        assert abs(first - start) <= 3
        assert abs(last - (stop - 1)) <= 3
        assert 0 < found[action]["value"] <= 1
    assert len(annotation["frames"]) == tiny.NUM_FRAMES
    for frame in annotation["frames"]:
        (figure,) = frame["figures"]
        assert figure["geometry"]["points"]["exterior"] == BOX


@pytest.mark.slow
def test_a_storm_changes_nothing(calm: dict[str, Any], tmp_path: Path) -> None:
    stormy = everything(tmp_path, storm=True)
    assert set(STORM.split()) <= set(stormy["faults"])
    assert stormy["of detection"]
    for name in ("source", "training data", "predictions", "weights"):
        assert stormy[name] == calm[name], name
