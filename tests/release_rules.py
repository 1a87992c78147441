"""What a release of the sub-apps needs, as rules: each returns the problems it finds, as text.

The platform's release job checks some of this on its own machine, after the tag is set; the rest it
takes as it is, and the app is broken in the ecosystem. These rules need neither network nor SDK.
"""

from __future__ import annotations

import ast
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SDK_VERSION = "6.74.51"
SLUG = "supervisely-ecosystem/mouse-action-recognition"
RAW = f"https://raw.githubusercontent.com/{SLUG}/main/"
PAGES = tuple(f"https://github.com/{SLUG}/{kind}/main/" for kind in ("blob", "tree"))
PICTURES = {"icon": (512, 512), "poster": (1600, 900)}
PICTURE_LIMIT_BYTES = 200_000
FIXED = {
    "type": "app",
    "version": "2.0.0",
    "icon_cover": True,
    "port": 8000,
    "task_location": "workspace_tasks",
    "community_agent": False,
    "license": {"type": "Apache-2.0"},
}
# https://developer.supervisely.com/app-development/basics/app-json-config/config.json
MAIN_CATEGORIES = {"data operations", "neural network", "import", "export", "labelling"}
CATEGORIES = MAIN_CATEGORIES | {"videos", "train", "serve", "data transformations", "framework:MVD"}
TARGETS = {"videos_project", "videos_dataset"}
GPU = {"required", "preferred", "no"}
VERSION = re.compile(r"\d+\.\d+\.\d+")
WORKFLOWS = {"release.yml": "release", "release_branch.yml": "release-branch"} | {
    "publish.yml": "publish"
}


def sub_apps(root: Path) -> list[str]:
    """The sub-apps of a repository: folders with a ``config.json``, as ``apps/NAME``."""
    return sorted(p.parent.relative_to(root).as_posix() for p in root.glob("apps/*/config.json"))


def app_problems(root: Path, app: str) -> list[str]:
    """Everything that is wrong with one sub-app."""
    try:
        config = json.loads((root / app / "config.json").read_text())
    except json.JSONDecodeError as error:
        return [f"{app}/config.json is not JSON: {error}"]
    rules = (_fixed, _texts, _image, _entrypoint, _menu, _gpu, _pictures, _files, _readme)
    return [f"{app}: {problem}" for rule in rules for problem in rule(root, app, config)]


def _fixed(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    for key, expected in FIXED.items():
        if config.get(key) != expected:
            yield f"{key}: got {config.get(key)!r}, expected {expected!r}"
    if (root / app / "requirements.txt").exists():
        yield "requirements.txt is refused at release: dependencies belong into the image"
    for key in sorted({"headless", "main_script", "gui_template"} & set(config)):
        yield f"{key} does not go with an app that has a window of its own"


def _texts(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    for key, limit in (("name", 60), ("description", 160)):
        text = config.get(key) or ""
        if not 0 < len(text) <= limit:
            yield f"{key}: got {len(text)} characters, expected 1 to {limit}"
    categories = set(config.get("categories", []))
    if unknown := sorted(categories - CATEGORIES):
        yield f"categories: got {unknown}, allowed {sorted(CATEGORIES)}"
    if not categories & MAIN_CATEGORIES:
        yield f"categories: none of {sorted(MAIN_CATEGORIES)}, so it lands in 'Other'"


def _image(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    version = str(config.get("instance_version"))
    if not VERSION.fullmatch(version):
        yield f"instance_version: got {version!r}, expected a version such as '6.18.3'"
    image = str(config.get("docker_image"))
    expected = rf"supervisely/{SLUG.split('/')[1]}:{VERSION.pattern}"
    if not re.fullmatch(expected, image):
        yield f"docker_image: got {image!r}, expected {expected}"


def _entrypoint(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    expected = (
        f"python3 -m uvicorn main:app --host 0.0.0.0 --port {config.get('port')} "
        f"--ws websockets --app-dir {app}"
    )
    if config.get("entrypoint") != expected:
        yield f"entrypoint: got {config.get('entrypoint')!r}, expected {expected!r}"
    main = root / app / "main.py"
    if main.exists() and "app" not in _module_names(main):
        yield "main.py: no `app` for the entrypoint to start"


def _module_names(path: Path) -> set[str]:
    """Names that a module assigns or imports at its top level."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def _menu(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    menu = config.get("context_menu", {})
    targets = menu.get("target", [])
    if not targets or set(targets) - TARGETS:
        yield f"context_menu.target: got {targets}, allowed {sorted(TARGETS)}"
    neural = "neural network" in config.get("categories", [])
    expected = "Neural Networks" if neural else None
    if menu.get("context_root") != expected:
        yield f"context_menu.context_root: got {menu.get('context_root')!r}, expected {expected!r}"


def _gpu(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    gpu = config.get("gpu")
    if gpu not in GPU:
        yield f"gpu: got {gpu!r}, allowed {sorted(GPU)}"
    # Older agents know need_gpu alone.
    if config.get("need_gpu", False) != (gpu == "required"):
        yield f"need_gpu: got {config.get('need_gpu')!r} beside gpu {gpu!r}"


def _pictures(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", str(config.get("icon_background"))):
        yield f"icon_background: got {config.get('icon_background')!r}, expected '#RRGGBB'"
    for key, size in PICTURES.items():
        expected = f"{RAW}{app}/media/{key}.png"
        if config.get(key) != expected:
            yield f"{key}: got {config.get(key)!r}, expected {expected!r}"
        picture = root / app / "media" / f"{key}.png"
        if not picture.is_file():
            yield f"{key}: media/{key}.png is missing; run scripts/make_app_pictures.py"
            continue
        if (got := png_size(picture)) != size:
            yield f"{key}: got {got} pixels, expected {size}"
        if picture.stat().st_size > PICTURE_LIMIT_BYTES:
            yield f"{key}: got {picture.stat().st_size} bytes, at most {PICTURE_LIMIT_BYTES}"


def png_size(path: Path) -> tuple[int, int] | None:
    """Width and height from the header of a PNG; None if it is not one."""
    head = path.read_bytes()[:24]
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _files(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    named = dict(config.get("files", {}))
    if "modal_template" in config:
        named["modal_template"] = config["modal_template"]
    for key, path in named.items():
        if Path(path).is_absolute() or not (root / path).is_file():
            yield f"{key}: {path!r} is not a file; paths are relative to the repository root"


def _readme(root: Path, app: str, config: dict[str, Any]) -> Iterator[str]:
    path = root / app / "README.md"
    if not path.is_file():
        yield "README.md is missing"
        return
    text = path.read_text()
    if not re.match(r"# \S", text):
        yield f"README.md: got {text.splitlines()[:1]}, expected a title, '# …'"
    # The ecosystem is sent the text alone, without the repository around it.
    for link in links(text):
        if not link.startswith(("https://", "#")):
            yield f"README.md: {link!r} is relative and leads nowhere in the ecosystem"
    yield from (f"README.md: {problem}" for problem in broken_links(root, path))


def links(text: str) -> list[str]:
    """Targets of the links and pictures of a Markdown text, outside its code blocks."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


def broken_links(root: Path, page: Path) -> list[str]:
    """Links of a page into this repository, relative or by its address, that lead nowhere."""
    broken = []
    for link in links(page.read_text()):
        target, _, anchor = link.partition("#")
        base = page.parent
        for prefix in (RAW, *PAGES):
            if target.startswith(prefix):
                target, base = target.removeprefix(prefix), root
        if re.match(r"[a-z]+:", target):
            continue
        file = (base / target) if target else page
        if not file.exists():
            broken.append(f"{link!r}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in _anchors(file.read_text()):
            broken.append(f"{link!r}: no such heading")
    return broken


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def sdk_problems(root: Path, sdk_of_instance: dict[str, str]) -> list[str]:
    """Whether the SDK is one version everywhere, and one that the apps' instance can have.

    Args:
        sdk_of_instance: the SDK's ``versions.json``, the first SDK of each instance version.
    """
    problems = []
    pinned = f"supervisely=={SDK_VERSION}"
    for name, found in (
        ("pyproject.toml", f'"{pinned}"' in (root / "pyproject.toml").read_text()),
        ("constraints.txt", pinned in (root / "constraints.txt").read_text().splitlines()),
    ):
        if not found:
            problems.append(f"{name}: expected {pinned}")
    label = root / "docker" / "Dockerfile"
    if label.exists():
        text = label.read_text()
        if "python_sdk_version" not in text or SDK_VERSION not in text:
            problems.append(f"docker/Dockerfile: expected LABEL python_sdk_version={SDK_VERSION}")
    images = set()
    for app in sub_apps(root):
        config = json.loads((root / app / "config.json").read_text())
        images.add(config.get("docker_image"))
        least, below = sdk_range(config["instance_version"], sdk_of_instance)
        if not least <= _numbers(SDK_VERSION) < below:
            got = f"{app}: instance {config['instance_version']} has SDK {least} up to {below}"
            problems.append(f"{got}, expected one that includes {SDK_VERSION}")
    if len(images) != 1:
        problems.append(f"docker_image: got {sorted(map(str, images))}, expected one for all apps")
    return problems


def sdk_range(instance: str, table: dict[str, str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """SDK versions of an instance: the first, and the first that is too new."""
    rows = sorted((_numbers(version), _numbers(sdk)) for version, sdk in table.items())
    least = [sdk for version, sdk in rows if version <= _numbers(instance)]
    above = [sdk for version, sdk in rows if version > _numbers(instance)]
    return (least[-1] if least else (0,)), (above[0] if above else (10**6,))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def workflow_problems(root: Path) -> list[str]:
    """Whether the release workflows name exactly the sub-apps that there are."""
    problems = []
    for name, kind in WORKFLOWS.items():
        path = root / ".github" / "workflows" / name
        if not path.is_file():
            problems.append(f"{name} is missing")
            continue
        (job,) = yaml.safe_load(path.read_text())["jobs"].values()
        given = job["with"]
        named = [app.strip() for app in given["SUBAPP_PATHS"].split(",")]
        if sorted(named) != sub_apps(root):
            problems.append(f"{name}: SUBAPP_PATHS names {named}, expected {sub_apps(root)}")
        if given["RELEASE_TYPE"] != kind:
            problems.append(
                f"{name}: RELEASE_TYPE got {given['RELEASE_TYPE']!r}, expected {kind!r}"
            )
    return problems
