"""The layering of the design, proved on the source itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SRC = REPO / "src"
PACKAGE = SRC / "mouse_ar"

# What each part of the package may import from its siblings. Imports go one way.
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "video": {"core"},
    "detection": {"core", "video"},
    "mvd": {"core"},
    "data": {"core", "video"},
    "synthetic": {"core", "video", "data"},
    "report": {"core", "video", "pipelines"},
    "pipelines": {"core", "video", "detection", "mvd", "data"},
    "training": {"core", "video", "detection", "mvd", "data", "pipelines"},
    "sly": {"core", "video", "detection", "mvd", "data", "pipelines", "training", "report"},
}
SHELL = {"cli", "console", "demo"}
HEAVY = {"torch", "torchvision", "timm", "cv2", "av", "decord", "supervisely", "sklearn", "PIL"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = list(path.relative_to(SRC).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Absolute names of everything a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer; write mouse_ar.…"
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    parts = module_name(path).split(".")
    layer = parts[1] if len(parts) > 1 else None
    if layer is None:
        used = {n for n in imports(path) if n.startswith("mouse_ar")}
        assert not used, f"{path} is imported first by everything and must import nothing: {used}"
        return
    assert layer in ALLOWED or layer in SHELL, f"{layer} is not a layer of the design"
    for name in imports(path):
        target = name.split(".")
        if target[0] != "mouse_ar" or len(target) < 2 or target[1] in {layer, "__version__"}:
            continue
        if layer in ALLOWED:
            assert target[1] in ALLOWED[layer], f"{layer} must not import {name}"


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_core_is_pure_and_supervisely_stays_at_the_edge(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    layer = [*module_name(path).split("."), ""][1]
    if layer == "core":
        third_party = roots - set(sys.stdlib_module_names) - {"mouse_ar"}
        assert third_party <= {"numpy", "scipy"}, f"core may use numpy and scipy: {third_party}"
        assert not roots & {"pathlib", "io", "os", "shutil", "subprocess", "socket"}
    if layer != "sly":
        assert "supervisely" not in roots


def test_package_layers_are_all_listed() -> None:
    packages = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()}
    assert packages == set(ALLOWED)


def test_importing_any_module_does_no_io() -> None:
    """Import every module with an audit hook that records files, sockets and processes."""
    script = """
import ast, importlib, json, pathlib, sys
src, names, external = json.loads(sys.stdin.read())
for name in external:  # third-party imports may read what they like
    try:
        importlib.import_module(name)
    except ImportError:
        pass
src = str(pathlib.Path(src).resolve())
seen = []
def hook(event, args):
    if event == "open":
        path, mode, flags = args
        name = str(path)
        if isinstance(path, int) or (name.startswith(src) and name.endswith((".py", ".pyc"))):
            return
        if name.startswith(src) and "__pycache__" in name:
            return
        seen.append([event, name])
    elif event.split(".")[0] in {"socket", "subprocess", "shutil", "tempfile"} or event in {
        "os.mkdir", "os.rename", "os.remove", "os.listdir", "os.scandir", "os.putenv",
        "os.system", "glob.glob", "pathlib.Path.glob",
    }:
        if event in {"os.listdir", "os.scandir"} and str(args[0]).startswith(src):
            return  # the import system lists package folders
        if event in {"os.mkdir", "os.rename"} and "__pycache__" in str(args[0]):
            return
        seen.append([event, str(args)])
sys.addaudithook(hook)
for name in names:
    before = len(seen)
    importlib.import_module(name)
    for item in seen[before:]:
        item.append(name)
print(json.dumps(seen))
"""
    names = [module_name(p) for p in modules() if p.name != "__main__.py"]
    external = set()
    for path in modules():
        for name in imports(path):
            if name.split(".")[0] != "mouse_ar":
                external |= {name, name.rpartition(".")[0] or name}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([str(SRC), names, sorted(external)]),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    assert not seen, f"importing does I/O: {seen[:5]}"


def test_every_heavy_import_is_declared() -> None:
    """What the code imports is what pyproject.toml installs."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    declared = " ".join([*project["dependencies"], *extras])
    packages = {"cv2": "opencv-python", "sklearn": "scikit-learn", "PIL": "pillow"}
    used = {name.split(".")[0] for path in modules() for name in imports(path)} & HEAVY
    for name in used:
        assert packages.get(name, name) in declared
