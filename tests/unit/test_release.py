from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from release_rules import (
    app_problems,
    broken_links,
    png_size,
    sdk_problems,
    sdk_range,
    sub_apps,
    workflow_problems,
)

APPS = ["apps/infer", "apps/preprocess", "apps/train"]
TRAIN = "apps/train"


@pytest.fixture(scope="module")
def sdk_of_instance() -> dict[str, str]:
    """The SDK's own table, read without importing it."""
    spec = importlib.util.find_spec("supervisely")
    assert spec is not None
    assert spec.origin is not None
    return json.loads((Path(spec.origin).parent / "versions.json").read_text())


@pytest.fixture
def copy(repo: Path, tmp_path: Path) -> Path:
    """What a release consists of, to be broken."""
    for folder in ("apps", ".github", "docs"):
        shutil.copytree(repo / folder, tmp_path / folder)
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy(repo / name, tmp_path / name)
    for folder in ("configs", "models"):
        (tmp_path / folder).mkdir()
        for file in (*(repo / folder).glob("*.yaml"), *(repo / folder).glob("*.md")):
            shutil.copy(file, tmp_path / folder)
    return tmp_path


def edit(root: Path, **changes: object) -> None:
    """Changes keys of a configuration; None takes one out."""
    path = root / TRAIN / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def test_the_three_apps_are_there(repo: Path) -> None:
    assert sub_apps(repo) == APPS


@pytest.mark.parametrize("app", APPS)
def test_app_can_be_released(repo: Path, app: str) -> None:
    assert app_problems(repo, app) == []


def test_sdk_fits_the_instance(repo: Path, sdk_of_instance: dict[str, str]) -> None:
    assert sdk_problems(repo, sdk_of_instance) == []


def test_workflows_name_the_apps(repo: Path) -> None:
    assert workflow_problems(repo) == []


def test_tutorial_leads_nowhere_wrong(repo: Path) -> None:
    assert broken_links(repo, repo / "docs" / "tutorial.md") == []


def test_only_neural_networks_pair_by_framework(repo: Path) -> None:
    framework = {
        app: "framework:MVD" in json.loads((repo / app / "config.json").read_text())["categories"]
        for app in APPS
    }
    assert framework == {"apps/infer": True, "apps/preprocess": False, "apps/train": True}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": "project"}, "type: got 'project'"),
        ({"version": None}, "version: got None"),
        ({"headless": True}, "headless does not go"),
        ({"instance_version": None}, "instance_version: got 'None'"),
        ({"instance_version": "6.18"}, "instance_version: got '6.18'"),
        ({"docker_image": None}, "docker_image: got 'None'"),
        ({"docker_image": "mvd:2.0.0"}, "docker_image: got 'mvd:2.0.0'"),
        ({"docker_image": "supervisely/mouse-action-recognition"}, "docker_image: got"),
        ({"port": 80}, "port: got 80"),
        ({"entrypoint": "python3 apps/train/main.py"}, "entrypoint: got"),
        ({"entrypoint": "python3 -m uvicorn main:app --app-dir apps/infer"}, "entrypoint: got"),
        ({"categories": ["neural network", "cats"]}, r"categories: got ['cats']"),
        ({"categories": ["videos"]}, "lands in 'Other'"),
        ({"context_menu": {"target": ["images_project"]}}, "got ['images_project'], allowed"),
        ({"context_menu": {"target": ["videos_project"]}}, "context_root: got None"),
        ({"context_menu": None}, "context_menu.target: got []"),
        ({"gpu": "yes"}, "gpu: got 'yes'"),
        ({"need_gpu": None}, "need_gpu: got None beside gpu 'required'"),
        ({"icon": "https://i.imgur.com/mouse.png"}, "icon: got 'https://i.imgur.com/mouse.png'"),
        ({"icon_background": "blue"}, "icon_background: got 'blue'"),
        ({"description": "mouse " * 40}, "description: got 240 characters"),
        ({"modal_template": "modal.html"}, "modal_template: 'modal.html' is not a file"),
        ({"files": {"models": "../models.json"}}, "models: '../models.json' is not a file"),
    ],
)
def test_broken_config_is_found(copy: Path, changes: dict[str, object], problem: str) -> None:
    edit(copy, **changes)
    assert any(problem in found for found in app_problems(copy, TRAIN)), app_problems(copy, TRAIN)


def test_paths_of_a_config_start_at_the_repository(copy: Path) -> None:
    edit(copy, modal_template="apps/train/modal.html", files={"readme": "apps/train/README.md"})
    (copy / TRAIN / "modal.html").touch()
    assert app_problems(copy, TRAIN) == []


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda app: (app / name).write_text(text)


@pytest.mark.parametrize(
    ("breaks", "problem"),
    [
        (_write("requirements.txt", "supervisely"), "requirements.txt is refused"),
        (_write("main.py", "def app(): ...\n"), "main.py: no `app`"),
        (_write("config.json", "{"), "config.json is not JSON"),
        (_write("README.md", "Train\n"), "expected a title"),
        (_write("README.md", "# Train\n[a](media/icon.png)"), "is relative"),
        (_write("README.md", "# Train\n[a](#nothing)"), "'#nothing': no such heading"),
        (
            _write(
                "README.md",
                "# T\n[a](https://github.com/supervisely-ecosystem/mouse-action-recognition"
                "/blob/main/docs/none.md)",
            ),
            "docs/none.md': no such file",
        ),
        (lambda app: (app / "README.md").unlink(), "README.md is missing"),
        (lambda app: (app / "media" / "icon.png").unlink(), "media/icon.png is missing"),
        (
            lambda app: shutil.copy(app / "media" / "poster.png", app / "media" / "icon.png"),
            "icon: got (1600, 900) pixels, expected (512, 512)",
        ),
        (_write("media/poster.png", "a cat"), "poster: got None pixels"),
        (
            lambda app: (app / "media" / "icon.png").open("ab").write(bytes(200_000)),
            "bytes, at most 200000",
        ),
    ],
)
def test_broken_files_are_found(copy: Path, breaks: Callable[[Path], object], problem: str) -> None:
    breaks(copy / TRAIN)
    assert any(problem in found for found in app_problems(copy, TRAIN)), app_problems(copy, TRAIN)


def test_an_app_of_its_own_image_is_found(copy: Path, sdk_of_instance: dict[str, str]) -> None:
    edit(copy, docker_image="supervisely/mouse-action-recognition:2.0.1")
    assert app_problems(copy, TRAIN) == []
    (problem,) = sdk_problems(copy, sdk_of_instance)
    assert "expected one for all apps" in problem


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_other_sdk_is_found(copy: Path, sdk_of_instance: dict[str, str], name: str) -> None:
    path = copy / name
    path.write_text(path.read_text().replace("supervisely==6.74.51", "supervisely==6.74.5"))
    assert sdk_problems(copy, sdk_of_instance) == [f"{name}: expected supervisely==6.74.51"]


def test_image_must_tell_its_sdk(copy: Path, sdk_of_instance: dict[str, str]) -> None:
    (copy / "docker").mkdir(exist_ok=True)
    dockerfile = copy / "docker" / "Dockerfile"
    dockerfile.write_text("LABEL python_sdk_version=6.74.50\n")
    (problem,) = sdk_problems(copy, sdk_of_instance)
    assert "LABEL python_sdk_version=6.74.51" in problem
    dockerfile.write_text("LABEL python_sdk_version=6.74.51\n")
    assert sdk_problems(copy, sdk_of_instance) == []


def test_instance_older_or_newer_than_the_sdk_is_found(copy: Path) -> None:
    table = {"6.18.0": "6.74.41", "6.18.3": "6.74.45", "6.19.0": "6.74.60"}
    assert sdk_problems(copy, table) == []
    for wrong in ("6.18.0", "6.19.0"):
        edit(copy, instance_version=wrong)
        (problem,) = sdk_problems(copy, table)
        assert f"apps/train: instance {wrong} has SDK" in problem


def test_range_of_an_instance_older_than_the_table() -> None:
    assert sdk_range("6.0.0", {"6.18.3": "6.74.45"}) == ((0,), (6, 74, 45))


def test_workflow_that_forgets_an_app_is_found(copy: Path) -> None:
    workflow = copy / ".github" / "workflows" / "release.yml"
    workflow.write_text(workflow.read_text().replace(", apps/infer", ""))
    (problem,) = workflow_problems(copy)
    assert "release.yml: SUBAPP_PATHS names ['apps/preprocess', 'apps/train']" in problem


def test_workflow_of_another_kind_or_none_is_found(copy: Path) -> None:
    folder = copy / ".github" / "workflows"
    shutil.move(folder / "publish.yml", folder / "release.yml")
    assert workflow_problems(copy) == [
        "release.yml: RELEASE_TYPE got 'publish', expected 'release'",
        "publish.yml is missing",
    ]


def test_size_is_read_from_the_picture(repo: Path, tmp_path: Path) -> None:
    assert png_size(repo / TRAIN / "media" / "poster.png") == (1600, 900)
    (tmp_path / "short.png").write_bytes(b"\x89PNG")
    assert png_size(tmp_path / "short.png") is None
