"""What can be known of docker/ without an engine; docker/verify.sh does the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from release_rules import SDK_VERSION


@pytest.fixture
def dockerfile(repo: Path) -> str:
    return (repo / "docker/Dockerfile").read_text()


@pytest.fixture
def compose(repo: Path) -> dict[str, Any]:
    return yaml.safe_load((repo / "docker/compose.yaml").read_text())


def test_the_image_is_what_a_release_wants(dockerfile: str) -> None:
    assert f"LABEL python_sdk_version={SDK_VERSION} " in dockerfile
    assert re.search(r"^USER \d+:\d+$", dockerfile, re.MULTILINE), "not root, and a number"
    for argument in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "CA_CERTIFICATES"):
        assert f'ARG {argument}=""' in dockerfile
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base[1]), "pinned"


def test_every_layer_after_the_dependencies_is_one(dockerfile: str) -> None:
    layers = re.findall(r"^(COPY|ADD|RUN) ", dockerfile, re.MULTILINE)
    assert layers == ["COPY", "RUN", "COPY"]


def test_compose_and_config_name_the_same_image(repo: Path, compose: dict[str, Any]) -> None:
    image = yaml.safe_load((repo / "apps/infer/config.json").read_text())["docker_image"]
    assert compose["services"]["cpu"]["image"] == f"${{IMAGE:-{image}}}"


def test_profiles(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {name: service["profiles"] for name, service in services.items()} == {
        "cpu": ["cpu"],
        "nvidia": ["nvidia"],
    }
    (device,) = services["nvidia"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert "deploy" not in services["cpu"]


def test_only_the_results_can_be_written(compose: dict[str, Any]) -> None:
    writable = {
        volume["target"]
        for volume in compose["services"]["cpu"]["volumes"]
        if not volume.get("read_only")
    }
    assert writable == {"/output"}


def test_every_variable_is_explained(repo: Path) -> None:
    used = set(re.findall(r"\$\{(\w+)", (repo / "docker/compose.yaml").read_text()))
    text = (repo / "docker/.env").read_text()
    explained = set(re.findall(r"^#? ?(\w+)=", text, re.MULTILINE))
    build = {"IMAGE", "BASE_IMAGE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "CA_CERTIFICATES"}
    assert used <= explained | build
    guide = (repo / "docs/docker.md").read_text()
    assert all(name in guide for name in used)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("src/mouse_ar/cli/app.py", True),
        ("apps/infer/main.py", True),
        ("docker/annotate.sh", True),
        ("models/catalog.yaml", True),
        ("models/mvd.pth", False),
        (".git/config", False),
        ("docker/.env", False),
        ("docker/videos/a.mp4", False),
        ("tests/tiny.py", False),
        (".venv/bin/python", False),
    ],
)
def test_only_what_runs_goes_into_the_image(repo: Path, path: str, inside: bool) -> None:
    rules = [
        line
        for line in (repo / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    ignored = False
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        if any(fnmatchcase(part, pattern) for part in (path, *_parents(path))):
            ignored = not rule.startswith("!")
    assert ignored is not inside


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in Path(path).parents if str(parent) != "."]


@pytest.mark.parametrize("name", ["annotate.sh", "verify.sh"])
def test_scripts_are_shell(repo: Path, name: str) -> None:
    script = repo / "docker" / name
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.slow  # the set-up of the slow tests installs it
def test_compose_reads_it(repo: Path, tmp_path: Path) -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    answer = subprocess.run(
        [command, "-f", repo / "docker/compose.yaml", "config"], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    volumes = yaml.safe_load(answer.stdout)["services"]["cpu"]["volumes"]
    assert volumes[0]["source"] == str(repo / "docker/videos"), "relative to .env"
