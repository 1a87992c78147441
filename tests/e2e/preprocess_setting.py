"""An instance for the Preprocess app: nested datasets, equal names, and what is known of it all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pylibmagic  # noqa: F401
import supervisely

from e2e.driver import REPO, AppDriver
from e2e.moving_mouse import write_mouse
from mouse_ar.data.config_files import load_actions
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.preprocess_project import preprocess_project
from mouse_ar.sly.project import RemoteProject
from supervisely_double.double import Double, running

APP = REPO / "apps/preprocess"
GROOMING, TWITCH = "Self-Grooming", "Head/Body TWITCH"
ACTIONS = load_actions()
META = {
    "projectType": "videos",
    "classes": [],
    "tags": [
        {"name": name, "value_type": "none", "color": "#00FF00"}
        for name in (GROOMING, TWITCH, "sniffing")
    ],
}
TARGET = "mice – training data"
# Inclusive ranges of frames, by what a video is called and where it lies.
LABELS = {
    (("cohort",), "mouse 1.mp4"): [(GROOMING, 5, 24), (TWITCH, 40, 42)],
    (("cohort", "day 2.b"), "mouse 1.mp4"): [(GROOMING, 30, 49), (TWITCH, 10, 12)],
    (("cohort", "day 2.b"), "ünï côde.v2.mp4"): [(GROOMING, 0, 14), (TWITCH, 50, 51)],
    (("käfig", "1/2"), "b.mp4"): [(GROOMING, 20, 39), (TWITCH, 3, 5)],
    (("käfig",), "c.mp4"): [(GROOMING, 44, 59), (TWITCH, 20, 22)],
    (("käfig",), "calm.mp4"): [],
}


@dataclass
class Lab:
    """An instance with an Input Project, and what is known of its videos."""

    double: Double
    folder: Path
    project: int
    datasets: dict[tuple[str, ...], int] = field(default_factory=dict)
    # By the key that the manifest uses.
    labels: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)

    def dataset(self, path: tuple[str, ...]) -> int:
        if path not in self.datasets:
            parent = self.dataset(path[:-1]) if path[1:] else None
            data = {"projectId": self.project, "name": path[-1], "parentId": parent}
            self.datasets[path] = int(self.double.call("datasets.add", data)["id"])
        return self.datasets[path]

    def add(self, dataset: tuple[str, ...], name: str, labels: list[tuple[str, int, int]]) -> int:
        number, seed = self.dataset(dataset), len(self.seeds)
        key = "/".join(part.replace("/", "%2F") for part in (*dataset, name))
        self.labels[key], self.seeds[key] = labels, seed
        path = write_mouse(self.folder / f"{seed}.mp4", seed=seed)
        video = self.double.add_video(number, path, name=name)
        for action, first, last in labels:
            self.double.add_tag(video, action, (first, last))
        return video

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        own = {"CONTEXT_PROJECTID": str(self.project), "MOUSE_AR_CACHE": str(folder / "cache")}
        return {**self.double.environment(), **own, **more}

    @property
    def target(self) -> int:
        found = {p.name: p.id for p in self.double.state.projects.values()}
        return found[TARGET]


def make_lab(double: Double, folder: Path) -> Lab:
    lab = Lab(double, folder, double.add_project("mice", meta=META))
    for (dataset, name), labels in LABELS.items():
        video = lab.add(dataset, name, labels)
    double.add_tag(video, "sniffing", (3, 9))
    return lab


def to_the_run(app: AppDriver) -> None:
    for step in ("input", "detector", "plan"):
        app.click(f"{step}_continue")
    assert app.state("steps")["active_step"] == 4, app.log[-4000:]


def finish(app: AppDriver, text: str) -> None:
    app.click("run_start")
    app.wait_for_note("output_summary", text)
    app.wait(lambda a: a.state("steps")["active_step"] == 5, what="the last step")


def reference(folder: Path) -> Any:
    """The same project on another instance, made in one go by the library itself."""
    with running(Double(folder / "double")) as double:
        lab = make_lab(double, folder / "videos")
        with Connection(supervisely.Api(double.url, double.token)) as connection:
            preprocess_project(
                RemoteProject.open(connection, lab.project),
                RemoteProject.get_or_create(connection, TARGET, workspace_id=Double.workspace),
                team_id=Double.team,
                work=folder / "work",
                actions=ACTIONS,
                config=PreprocessConfig(),
                detector=BackgroundSubtraction(),
            )
        return double.dump(lab.target)
