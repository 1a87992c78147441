"""Run by test_kill.py: imports once, then forks a child per run and kills it in time.

Usage: kill_trials.py COMMAND INPUT TARGET_ROOT SEED TRIALS KILLS_PER_TRIAL [OPTIONS of the command]
Where TARGET_ROOT/base is a project, every run continues a copy of it.
The detector gives fixed boxes at once and the model reads colours: what is to be interrupted is
the writing.
Prints one JSON object: the duration of an undisturbed run and, per trial, its folder, the kills
that hit a running child, and how the last child ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

import tiny
from colour_model import predictor
from mouse_ar import cli
from mouse_ar.cli import videos
from mouse_ar.detection import choice

# A run may end before its kill comes, on a machine whose speed varies: the trial is repeated, with
# all of its kills that much earlier each time.
ATTEMPTS = 8
EARLIER = 0.85


def cache_of(target: Path) -> Path:
    """Where the runs of a target keep their tracks."""
    return target.with_name(f"{target.name}_cache")


def start(source: Path, target: Path) -> int:
    """Run the command line in a forked child."""
    base = target.with_name("base")
    if base.is_dir() and not target.is_dir():
        shutil.copytree(base, target, copy_function=shutil.copy2)
    child = os.fork()
    if child:
        return child
    # Runs of other targets know the videos: this one has to detect for itself.
    os.environ["MOUSE_AR_CACHE"] = str(cache_of(target))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    sys.argv = ["mouse-ar", sys.argv[1], str(source), str(target), *sys.argv[7:]]
    code = 70
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def finish(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_after(child: int, seconds: float) -> bool:
    """Whether the child was still running when the time had come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return finish(child) == -signal.SIGKILL


def kill_at(source: Path, target: Path, *, shares: list[float], seconds: float) -> int:
    """Start and kill one run after the other; how many kills hit before a run had ended.

    Args:
        source: input.
        target: output of all of them.
        shares: moment of each kill, as a share of what is left of the work.
        seconds: how long the whole work takes.
    """
    for number, share in enumerate(shares):
        if not kill_after(start(source, target), share * seconds):
            return number
        seconds *= 1 - share
    return len(shares)


def main() -> None:
    source, root = Path(sys.argv[2]), Path(sys.argv[3])
    seed, trials, kills = (int(value) for value in sys.argv[4:7])
    rng = np.random.default_rng(seed)
    choice.BackgroundSubtraction = tiny.BoxDetector  # type: ignore[assignment, misc]
    videos.load_predictor = lambda *_, **__: predictor()
    durations = []
    for name in ("undisturbed", "again", "and_again"):
        began = time.monotonic()
        assert finish(start(source, root / name)) == 0
        durations.append(time.monotonic() - began)
    duration = min(durations)
    results = []
    for trial in range(trials):
        target = root / f"trial{trial}"
        for attempt in range(ATTEMPTS):
            for folder in (target, cache_of(target)):
                shutil.rmtree(folder, ignore_errors=True)
            # The first kills are spread evenly over the run's time.
            shares = [(trial + rng.random()) / trials, *rng.random(kills - 1)]
            seconds = duration * EARLIER**attempt
            hits = kill_at(source, target, shares=shares, seconds=seconds)
            if hits == kills:
                break
        results.append(
            {"folder": target.name, "kills": hits, "code": finish(start(source, target))}
        )
    sys.stdout.write(json.dumps({"seconds": duration, "trials": results}) + "\n")


if __name__ == "__main__":
    main()
