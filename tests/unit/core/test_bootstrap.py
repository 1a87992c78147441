from __future__ import annotations

import json
import time

import numpy as np
import pytest

from mouse_ar.core.bootstrap import bootstrap_intervals
from mouse_ar.core.results import ActionResult, Counts

GROOM, TWITCH = "Groom", "Twitch"
EMPTY = ActionResult(scored_seconds=600)


def result(tp: int, fp: int, fn: int) -> ActionResult:
    counts = Counts(tp, fp, fn)
    return ActionResult(frames=counts + counts, bouts=counts, scored_seconds=600)


def random_videos(number: int, *, seed: int = 0) -> dict[str, dict[str, ActionResult]]:
    rng = np.random.default_rng(seed)
    return {
        f"v{i}": {name: result(*map(int, rng.integers(0, 30, 3))) for name in (GROOM, TWITCH)}
        for i in range(number)
    }


def plain_bootstrap(
    videos: list[dict[str, ActionResult]], *, resamples: int, seed: int
) -> dict[str, list[float]]:
    """The same, the slow way: draw videos, add them up, take the property of the results."""
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {"recall": [], "rate": [], "macro": []}
    for _ in range(resamples):
        drawn = [videos[i] for i in rng.integers(0, len(videos), len(videos))]
        pooled = {name: ActionResult() for name in videos[0]}
        for video in drawn:
            for name in pooled:
                pooled[name] += video[name]
        values["recall"].append(pooled[GROOM].bouts.recall or 0.0)
        values["rate"].append(pooled[GROOM].false_per_hour or 0.0)
        f1s = [found.frames.f1 for found in pooled.values()]
        values["macro"].append(float(np.mean([f1 for f1 in f1s if f1 is not None])))
    return {name: list(np.percentile(found, (2.5, 97.5))) for name, found in values.items()}


def test_agrees_with_adding_up_drawn_videos() -> None:
    videos = random_videos(8)
    found = bootstrap_intervals(videos, resamples=20_000)
    expected = plain_bootstrap(list(videos.values()), resamples=4000, seed=1)
    groom = found.by_action[GROOM]
    assert groom["bout_recall"].to_dict() == pytest.approx(expected["recall"], abs=0.02)
    assert groom["false_per_hour"].to_dict() == pytest.approx(expected["rate"], rel=0.04)
    assert found.overall["macro_frame_f1"].to_dict() == pytest.approx(expected["macro"], abs=0.02)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        videos = {}
        for i in range(30):
            tp = int(rng.binomial(20, 0.8))
            videos[f"v{i}"] = {GROOM: result(tp, 0, 20 - tp)}
        interval = bootstrap_intervals(videos, resamples=300, seed=seed).by_action[GROOM][
            "bout_recall"
        ]
        assert interval is not None
        covered += interval.low <= 0.8 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_fewer_than_two_telling_videos_have_no_interval() -> None:
    alone = bootstrap_intervals({"a": {GROOM: result(3, 1, 1)}})
    assert set(alone.by_action[GROOM].values()) == {None}
    assert alone.overall == {"macro_bout_f1": None, "macro_frame_f1": None}
    # twitches in one video of three: drawing that video twice says nothing of other videos
    videos = {
        "a": {GROOM: result(3, 1, 1), TWITCH: result(1, 0, 1)},
        "b": {GROOM: result(5, 0, 2), TWITCH: EMPTY},
        "c": {GROOM: result(2, 2, 0), TWITCH: EMPTY},
    }
    found = bootstrap_intervals(videos)
    assert found.by_action[TWITCH]["bout_f1"] is None
    assert found.by_action[TWITCH]["bout_precision"] is None
    assert found.by_action[TWITCH]["false_per_hour"] is not None
    assert found.by_action[GROOM]["bout_f1"] is not None
    assert found.overall["macro_bout_f1"] is not None
    nothing = bootstrap_intervals({})
    assert (nothing.by_action, nothing.videos) == ({}, 0)
    assert nothing.overall == {"macro_bout_f1": None, "macro_frame_f1": None}


def test_seeded_equal_videos_and_json() -> None:
    videos = random_videos(5)
    assert bootstrap_intervals(videos) == bootstrap_intervals(videos)
    assert bootstrap_intervals(videos, seed=1) != bootstrap_intervals(videos)
    same = bootstrap_intervals({f"v{i}": {GROOM: result(8, 1, 2)} for i in range(4)})
    interval = same.by_action[GROOM]["bout_precision"]
    assert interval is not None
    assert interval.low == pytest.approx(8 / 9)
    assert interval.high == pytest.approx(8 / 9)
    text = json.dumps(same.to_dict(), allow_nan=False)
    assert json.loads(text)["by_action"][GROOM]["bout_precision"] == interval.to_dict()


def test_a_thousand_resamples_of_many_videos_are_quick() -> None:
    videos = random_videos(300)
    start = time.perf_counter()
    bootstrap_intervals(videos)
    assert time.perf_counter() - start < 2.0
