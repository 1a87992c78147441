"""Pushing and pulling survive being killed at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mouse_ar.core.types import Bout, Box, Interval, Track
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.local_project import LocalProject
from supervisely_double import Double, running
from tiny import ACTIONS, GROOMING, NUM_FRAMES, SIDE, write_video

pytestmark = pytest.mark.slow

VIDEOS, PUSHES = 6, 4


def run(double: Double, *arguments: object, kill_after: float | None = None) -> int | None:
    """Run the command line; None when it was killed."""
    command = [sys.executable, "-m", "mouse_ar.cli", *map(str, arguments)]
    environment = {
        **os.environ,
        **double.environment(),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    began = len(double.log.records)
    while kill_after is not None and process.poll() is None:
        # The SDK takes seconds to import: time counts from the first request.
        if len(double.log.records) > began:
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    said, _ = process.communicate(timeout=120)
    if process.returncode not in (0, -signal.SIGKILL):
        print(said.decode())  # noqa: T201
    return None if process.returncode == -signal.SIGKILL else process.returncode


@pytest.mark.timeout(600)
def test_killed_and_started_again(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "mice", actions=ACTIONS)
    boxes = {f: Box(f % 20, 2, f % 20 + 20, 40) for f in range(NUM_FRAMES)}
    for number in range(VIDEOS):
        name = f"{number}.mp4"
        write_video(project.video("d/e", name).video_path)
        value = VideoAnnotation(
            num_frames=NUM_FRAMES,
            height=SIDE,
            width=SIDE,
            bouts=(Bout(Interval(number, 40), GROOMING),),
            track=Track.from_boxes(NUM_FRAMES, boxes),
            provenance={"number": number},
        )
        project.write("d/e", name, value)
    rng = random.Random(0)
    copy = tmp_path / "copy"
    with (
        running(Double(tmp_path / "undisturbed")) as calm,
        running(Double(tmp_path / "x")) as double,
    ):
        assert run(calm, "push", project.path) == 0
        (project.path / ".mouse_ar" / "mirror.json").unlink()
        double.fail("*", kinds="stall", seconds=0.03)  # so that there is something to hit
        for attempt in range(PUSHES):
            delay = 2.0 + rng.uniform(0, 2.5)
            if run(double, "push", project.path, kill_after=delay) == 0:
                break
            assert attempt < PUSHES - 1 or run(double, "push", project.path) == 0
        (project_id,) = double.state.projects
        assert double.dump(project_id) == calm.dump(next(iter(calm.state.projects)))
        for _ in range(2):
            run(double, "pull", project_id, copy, kill_after=rng.uniform(0, 1))
        assert run(double, "pull", project_id, copy) == 0
    mirror = LocalProject.open(copy, actions=ACTIONS)
    assert [v.key for v in mirror.videos()] == [v.key for v in project.videos()]
    for one, other in zip(mirror.videos(), project.videos(), strict=True):
        assert one.video_path.read_bytes() == other.video_path.read_bytes()
        assert mirror.read(one).bouts == project.read(other).bouts
        assert mirror.read(one).provenance == project.read(other).provenance
    assert not list(copy.rglob(".*.partial"))
