"""Strips of bouts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluated import FIRST, evaluated
from mouse_ar.core.bout_errors import bout_errors
from mouse_ar.core.types import Ethogram, Interval
from mouse_ar.report.page.ethograms import VideoStrip, strip_figure, strip_figures
from tiny import ACTIONS, FPS, GROOMING, NUM_FRAMES, TWITCH


def strip(tmp_path: Path) -> VideoStrip:
    found = evaluated(tmp_path, with_videos=False)
    errors = bout_errors(found.pairs, actions=ACTIONS)
    return VideoStrip(
        name=FIRST,
        rows={"true": found.records[0].ethogram, "predicted": found.result.predicted[FIRST]},
        errors=[e for several in errors.values() for e in several if e.video == FIRST],
        scores=found.result.scores[FIRST],
        thresholds={TWITCH: 0.4},
        ignored=(Interval(50, 55),),
    )


def test_truth_lies_above_the_prediction_and_errors_are_marked(tmp_path: Path) -> None:
    plot = strip_figure(strip(tmp_path), actions=ACTIONS).plot
    json.dumps(plot, allow_nan=False)
    low, high = plot["layout"]["yaxis"]["range"]
    assert low > high  # rows count from the top
    assert plot["layout"]["yaxis"]["ticktext"] == [
        f"{action} · {row}" for action in (GROOMING, TWITCH) for row in ("true", "predicted")
    ]
    bars = [trace for trace in plot["data"] if trace["type"] == "bar"]
    assert [b["base"] for b in bars] == [[1.0], [1.2], [6.0], [2.0]]
    assert [b["x"] for b in bars] == [[3.0], [2.8], [0.3], [0.3]]
    assert "frames 10–39<br>1.00–4.00 s" in bars[0]["hovertext"][0]
    assert "confidence" not in bars[0]["hovertext"][0]
    assert "confidence 0.90" in bars[1]["hovertext"][0]
    (marks,) = (trace for trace in plot["data"] if trace.get("mode") == "markers")
    rows = plot["layout"]["yaxis"]["tickvals"]
    assert marks["y"] == [rows[3], rows[2]]  # false in the lower, missed in the upper row
    assert marks["x"] == [2.15, 6.15]
    assert [s["x0"] for s in plot["layout"]["shapes"]] == [5.0]
    lines = [trace for trace in plot["data"] if trace.get("mode") == "lines"]
    assert [line["y"] for line in lines if line["line"].get("dash")] == [[0.4, 0.4]]


def test_the_videos_own_times_are_used_and_long_ones_are_in_minutes(tmp_path: Path) -> None:
    video = replace(strip(tmp_path), timestamps_seconds=np.arange(NUM_FRAMES) * 60.0, scores=None)
    plot = strip_figure(video, actions=ACTIONS).plot
    assert plot["layout"]["xaxis"]["title"]["text"] == "minutes"
    assert plot["data"][0]["base"] == [10.0]
    assert "yaxis2" not in plot["layout"]


def test_all_but_the_first_are_folded_and_a_video_without_frames_is_no_trouble() -> None:
    empty = Ethogram(0, FPS)
    videos = [VideoStrip(name=str(n), rows={"true": empty, "predicted": empty}) for n in range(5)]
    figures = strip_figures(videos, actions=ACTIONS)
    assert [figure.folded for figure in figures] == [False, False, False, True, True]
