"""An instance for the Infer app: awkward names, a model that reads colours, a served detector."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import tiny
from colour_checkpoint import write_colour_checkpoint
from doubles.servers import serving
from e2e.driver import REPO, AppDriver, running_app
from mouse_ar.detection.service import create_app
from supervisely_double.double import Double, running
from tiny import GROOMING, TWITCH

APP = REPO / "apps/infer"
EXPERIMENT = "/experiments/5_mice/9_MVD/"
CHECKPOINT = f"{EXPERIMENT}checkpoints/best.safetensors"
DETECTOR = "/experiments/5_mice/8_RT-DETRv2/"
PROJECT = "Mäuse / day 1"
PREDICTIONS = f"{PROJECT} (predicted)"
LABELS = [(GROOMING, 10, 40), (TWITCH, 60, 63)]
# Dataset from the top, video: two have the same name.
VIDEOS: Mapping[tuple[tuple[str, ...], str], list[tuple[str, int, int]]] = {
    (("cohort a", "Käfig 1.2"), "mouse 1.v2.mp4"): LABELS,
    (("cohort a", "Käfig 1.2"), "小鼠.mp4"): [],
    (("cohort b",), "mouse 1.v2.mp4"): [(GROOMING, 45, 75)],
}
BOX = [[12, 8], [52, 56]]


class ServedBoxes(tiny.BoxDetector):
    """As a service has to name it."""

    class_name = "mouse"


@dataclass
class Setting:
    """What a test has to do with.

    Args:
        double: the instance.
        project: number of the videos' project.
        detector: that is served, with its count of frames.
        detector_url: where.
        folder: for files.
    """

    double: Double
    project: int
    detector: ServedBoxes
    detector_url: str
    folder: Path

    @property
    def predictions(self) -> int | None:
        """Number of the project of predictions."""
        projects = self.double.state.projects.values()
        return next((p.id for p in projects if p.name.endswith("(predicted)")), None)

    def app(
        self, name: str = "app", *, production: bool = False, **environment: str
    ) -> AbstractContextManager[AppDriver]:
        """The app of the project's menu."""
        given = {
            **self.double.environment(),
            "PROJECT_ID": str(self.project),
            "MOUSE_AR_CACHE": str(self.folder / name / "cache"),
            "modal.state.device": "cpu",
            **environment,
        }
        return running_app(APP, self.folder / name, environment=given, production=production)

    def dump(self) -> Any:
        """The project of predictions."""
        assert self.predictions is not None
        return self.double.dump(self.predictions)


@contextmanager
def infer_setting(folder: Path) -> Iterator[Setting]:
    detector = ServedBoxes()
    with running(Double(folder / "double")) as double, serving(_session_app(detector)) as url:
        double.run = lambda task: url
        yield Setting(double, fill(double, folder), detector, url, folder)


def _session_app(detector: ServedBoxes) -> FastAPI:
    """Our service, with what the platform's serving app offers to those who deploy it."""
    app = create_app(detector)
    for name in ("is_running", "deploy_from_api"):
        app.add_api_route(f"/{name}", lambda: {"status": "ok"}, methods=["POST"], name=name)
    return app


def fill(double: Double, folder: Path) -> int:
    """The project of the videos, and an experiment in Team Files."""
    meta = {
        "projectType": "videos",
        "classes": [],
        "tags": [{"name": GROOMING, "value_type": "none", "color": "#00FF00"}],
    }
    project = double.add_project(PROJECT, meta=meta)
    for number, ((names, video), labels) in enumerate(VIDEOS.items()):
        path = tiny.write_video(folder / f"{number}.mp4", labels, seed=number)
        double.add_video(dataset(double, project, names), path, name=video)
    label = double.videos(project)["cohort b/mouse 1.v2.mp4"]
    double.add_tag(label, GROOMING, (45, 74))
    double.add_file(CHECKPOINT, write_colour_checkpoint(folder / "best.safetensors"))
    double.add_file(f"{EXPERIMENT}experiment_info.json", json.dumps(experiment()).encode())
    double.add_file(f"{DETECTOR}experiment_info.json", json.dumps(detector_experiment()).encode())
    double.add_file(f"{DETECTOR}model_config.yml", b"")
    double.add_file(f"{DETECTOR}checkpoints/best.pth", b"weights")
    return project


def dataset(double: Double, project: int, names: tuple[str, ...]) -> int:
    """As ``Double.add_dataset``, for names with a slash."""
    parent: int | None = None
    for name in names:
        known = double.state.datasets_of(project)
        found = [d.id for d in known if (d.parent_id, d.name) == (parent, name)]
        data = {"projectId": project, "name": name, "parentId": parent}
        parent = found[0] if found else int(double.call("datasets.add", data)["id"])
    assert parent is not None
    return parent


def experiment(**changes: Any) -> dict[str, Any]:
    return {
        "experiment_name": "all cages",
        "framework_name": "MVD",
        "model_name": "vit_tiny",
        "task_type": "action recognition",
        "project_id": 5,
        "task_id": 9,
        "checkpoints": ["checkpoints/best.safetensors"],
        "best_checkpoint": "best.safetensors",
        "datetime": "2026-03-04 05:06:07",
        "evaluation_metrics": {"bout F1": 0.812, "frame F1": 0.9},
        **changes,
    }


def detector_experiment() -> dict[str, Any]:
    return experiment(
        framework_name="RT-DETRv2",
        model_name="RT-DETRv2-S",
        task_type="object detection",
        model_files={"config": "model_config.yml"},
        model_meta="model_meta.json",
        checkpoints=["checkpoints/best.pth"],
        best_checkpoint="best.pth",
        hyperparameters="hyperparameters.yaml",
        artifacts_dir=DETECTOR,
    )
