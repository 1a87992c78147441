from __future__ import annotations

import os
import subprocess
import sys

from mouse_ar.core.seeding import rng_for

DRAW = "from mouse_ar.core.seeding import rng_for; print(rng_for(3, key='räv/é').integers(10**9))"


def test_each_thing_has_its_own_numbers() -> None:
    drawn = {int(rng_for(s, key=k).integers(10**12)) for s in (0, 1) for k in ("a", "b", "1", "")}
    assert len(drawn) == 8
    assert rng_for(0, key="a").random() == rng_for(0, key="a").random()


def test_numbers_are_the_same_in_every_process() -> None:
    drawn = {
        subprocess.run(
            [sys.executable, "-c", DRAW],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert drawn == {f"{rng_for(3, key='räv/é').integers(10**9)}\n"}
