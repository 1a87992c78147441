"""Stand-ins for the platform's scripts: public packages from npm, in a folder that git ignores."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache/npm"

# Exact versions; the platform is built on Vue 2 and Element 1.
PACKAGES = {
    "vue": "2.7.16",
    "element-ui": "1.4.13",
    "lodash": "4.17.21",
    "apexcharts": "3.54.1",
    "material-design-iconic-font": "2.2.0",
}


def npm_packages() -> Path:
    """The folder ``node_modules`` with them, installed when first needed."""
    modules = CACHE / "node_modules"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "lock"):
        if not _complete(modules):
            _install()
    assert _complete(modules), f"npm did not install {PACKAGES} into {modules}"
    return modules


def _complete(modules: Path) -> bool:
    for name, version in PACKAGES.items():
        manifest = modules / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text())["version"] != version:
            return False
    return True


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing, which fetches the page's scripts: apt-get install npm")
    manifest = {"name": "stand-ins", "private": True, "dependencies": PACKAGES}
    (CACHE / "package.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"],
        cwd=CACHE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"npm install failed:\n{done.stdout}\n{done.stderr}"
