"""For tests with a double: ``from supervisely_double.fixtures import api, double``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from supervisely_double.double import Double, running
from supervisely_double.model import Json

GROOMING, TWITCH, MOUSE = "Self-Grooming", "Head-Body_TWITCH", "mouse"
META: Json = {
    "projectType": "videos",
    "classes": [{"title": MOUSE, "shape": "rectangle", "color": "#FF0000"}],
    "tags": [
        {"name": GROOMING, "value_type": "none", "color": "#00FF00"},
        {"name": TWITCH, "value_type": "any_number", "color": "#0000FF"},
    ],
}


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    """An instance with nothing in it."""
    with running(Double(tmp_path / "double")) as double:
        yield double


@pytest.fixture
def api(sly: ModuleType, double: Double, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's client, which repeats what fails without waiting."""
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    api = sly.Api(double.url, double.token)
    api.retry_sleep_sec = 0
    return api


def write_clip(
    path: Path, *, frames: int = 20, seed: int = 0, size: tuple[int, int] = (64, 48)
) -> Path:
    """A small video of noise, other noise for every seed; ``size`` is width, height."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
