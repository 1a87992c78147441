"""The layering of the design, proved on the source itself."""

from __future__ import annotations

import ast
import json
import re
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
    "report": {"core", "video", "data", "pipelines"},
    "pipelines": {"core", "video", "detection", "mvd", "data"},
    "training": {"core", "video", "detection", "mvd", "data", "pipelines"},
    "sly": {"core", "video", "detection", "mvd", "data", "pipelines", "training", "report"},
}
SHELL = {"cli", "console", "demo"}
HEAVY = {"torch", "torchvision", "timm", "cv2", "av", "decord", "supervisely", "sklearn", "PIL"} | {
    "transformers",
    "ray",
}


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
        assert not io_in(path.read_text(encoding="utf-8"))
    if layer != "sly":
        assert "supervisely" not in roots


IO_MODULES = {"pathlib", "io", "os", "shutil", "subprocess", "socket"} | {
    "tempfile", "urllib", "http", "importlib", "glob", "fileinput", "mmap", "sqlite3", "shelve",
}  # fmt: skip
IO_NUMPY = {"load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt"} | {
    "fromfile", "tofile", "memmap", "open_memmap", "fromregex",
}  # fmt: skip


def io_in(source: str) -> set[str]:
    """What a module uses that reads or writes files, sockets or processes, or hides imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] in IO_MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            if node.module.split(".")[0] in IO_MODULES:
                found.add(node.module)
            elif node.module.split(".")[0] == "numpy":
                found |= names & IO_NUMPY
            elif node.module == "scipy":
                found |= names & {"io"}
        elif isinstance(node, ast.Name) and node.id in {"open", "__import__"}:
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in IO_NUMPY:
            found.add(node.attr)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "import numpy as np\nnp.load('x')",
        "import numpy\nnumpy.save('x', 1)",
        "from numpy import savez",
        "array.tofile('x')",
        "def f():\n    import tempfile",
        "import urllib.request",
        "from importlib import import_module",
        "__import__('torch')",
        "from os import path",
    ],
)
def test_io_in_core_would_be_seen(source: str) -> None:
    assert io_in(source)


def test_core_brings_no_heavy_package() -> None:
    """Also indirectly: nothing that core imports may import them."""
    names = [module_name(path) for path in modules() if "core" in path.parts]
    script = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(names)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    loaded = set(json.loads(done.stdout))
    assert "mouse_ar" in loaded
    assert not loaded & HEAVY


def test_scripts_do_without_supervisely() -> None:
    """Only ``sly`` and the apps may know the SDK."""
    scripts = sorted((REPO / "scripts").rglob("*.py"))
    assert scripts
    for path in scripts:
        assert "supervisely" not in {name.split(".")[0] for name in imports(path)}, path


def test_package_layers_are_all_listed() -> None:
    packages = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()}
    assert packages == set(ALLOWED) | {"cli"}


IMPORT_UNDER_WATCH = """
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


def io_while_importing(src: Path, names: list[str], *, external: set[str]) -> list[list[str]]:
    """What an audit hook sees of files, sockets and processes while modules are imported."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_UNDER_WATCH],
        input=json.dumps([str(src), names, sorted(external)]),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(src), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_any_module_does_no_io() -> None:
    names = [module_name(p) for p in modules() if p.name != "__main__.py"]
    external = set()
    for path in modules():
        for name in imports(path):
            if name.split(".")[0] != "mouse_ar":
                external |= {name, name.rpartition(".")[0] or name}
    seen = io_while_importing(SRC, names, external=external)
    assert not seen, f"importing does I/O: {seen[:5]}"


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("open('/dev/null').close()", "open"),
        ("import os\nos.listdir('/')", "os.listdir"),
        ("import subprocess\nsubprocess.run(['true'])", "subprocess.Popen"),
        ("import socket\nsocket.socket().close()", "socket.__new__"),
    ],
)
def test_io_while_importing_would_be_seen(tmp_path: Path, source: str, event: str) -> None:
    (tmp_path / "guilty.py").write_text(source)
    (tmp_path / "innocent.py").write_text("VALUE = 1")
    names = ["innocent", "guilty"]
    seen = io_while_importing(tmp_path, names, external={"os", "subprocess", "socket"})
    assert event in {item[0] for item in seen}
    assert {item[-1] for item in seen} == {"guilty"}


def requirement_name(requirement: str) -> str:
    """The package's name alone, normalised as in PEP 503."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_requirement_name() -> None:
    assert requirement_name("decord; platform_machine == 'x86_64'") == "decord"
    assert requirement_name("opencv-python<5") == "opencv-python"
    assert requirement_name("Types_PyYAML[x]>=1") == "types-pyyaml"


def test_every_heavy_import_is_declared() -> None:
    """What the code imports is what pyproject.toml installs."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    declared = {requirement_name(text) for text in [*project["dependencies"], *extras]}
    packages = {"cv2": "opencv-python", "sklearn": "scikit-learn", "PIL": "pillow"}
    used = {name.split(".")[0] for path in modules() for name in imports(path)} & HEAVY
    assert {packages.get(name, name) for name in used} <= declared
