"""Plots of the figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evaluated import beside_second, evaluated
from mouse_ar.core.platt import Calibration, Platt
from mouse_ar.report.page.agreement import agreement_figure
from mouse_ar.report.page.curves import confusion_figure, overlap_figure, ranking_figure
from mouse_ar.report.page.reliability import reliability_figure
from tiny import ACTIONS, GROOMING, TWITCH


def test_rows_of_the_confusion_matrix_are_shares(tmp_path: Path) -> None:
    details = evaluated(tmp_path, with_videos=False).result.details
    assert details is not None
    (trace,) = confusion_figure(details.confusion).plot["data"]
    assert [sum(row) for row in trace["z"]] == pytest.approx([1, 1, 1], abs=1e-3)
    assert trace["z"][2] == [0.5, 0.0, 0.5]  # one of two twitches is found
    assert trace["text"][2] == ["50.0%<br>3", "0.0%<br>0", "50.0%<br>3"]


def test_curves_carry_the_operating_point_and_5_percent(tmp_path: Path) -> None:
    details = evaluated(tmp_path, with_videos=False).result.details
    assert details is not None
    figure = ranking_figure(details, actions=ACTIONS)
    assert figure is not None
    json.dumps(figure.plot, allow_nan=False)
    curves = details.actions[TWITCH].curves
    assert curves is not None
    assert curves.decoded is not None
    data = figure.plot["data"]
    marks = [t for t in data if t.get("mode") == "markers" and TWITCH in t["hovertemplate"]]
    symbols = [(t["xaxis"], t["marker"]["symbol"]) for t in marks]
    assert symbols == [
        ("x", "circle-open"),
        ("x", "circle"),
        ("x2", "circle-open"),
        ("x2", "circle"),
        ("x2", "diamond"),
    ]
    assert marks[1]["x"] == [curves.decoded.recall] == [0.5]
    assert marks[1]["y"] == [curves.decoded.precision] == [0.5]
    assert marks[4]["x"] == [0.05]
    assert [t["name"].split(":")[0] for t in data if t.get("showlegend", True)] == [
        GROOMING,
        TWITCH,
    ]


def test_a_second_person_is_dashed_and_has_no_ranking(tmp_path: Path) -> None:
    found = beside_second(evaluated(tmp_path, with_videos=False)).result
    assert found.against is not None
    assert found.details is not None
    human = found.against.human.details
    assert ranking_figure(human, actions=ACTIONS) is None
    both = {"model": found.details, "second person": human}
    data = overlap_figure(both, actions=ACTIONS).plot["data"]
    assert [t["line"]["dash"] for t in data] == ["solid", "solid", "dash", "dash"]
    assert data[0]["x"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert data[2]["name"] == f"{GROOMING}, second person"
    alone = overlap_figure({"model": found.details}, actions=ACTIONS).plot["data"]
    assert [t["name"] for t in alone] == [GROOMING, TWITCH]


def test_differences_of_counts_and_durations(tmp_path: Path) -> None:
    details = evaluated(tmp_path, with_videos=False).result.details
    assert details is not None
    figure = agreement_figure(details.actions[GROOMING], action=ACTIONS[GROOMING])
    json.dumps(figure.plot, allow_nan=False)
    counts, differences, _, seconds = figure.plot["data"]
    assert (counts["x"], counts["y"]) == ([1, 1], [1, 2])
    assert (differences["x"], differences["y"]) == ([1, 1.5], [0, 1])
    assert seconds["y"] == [-0.2, 1.2]
    levels = [s["y0"] for s in figure.plot["layout"]["shapes"] if s["xref"] == "x2 domain"]
    agreement = details.actions[GROOMING].count
    assert agreement.limits_of_agreement is not None
    assert levels == pytest.approx([0.5, *agreement.limits_of_agreement], abs=1e-3)
    low, high = figure.plot["layout"]["yaxis2"]["range"]
    assert low < min(levels) < max(levels) < high


def test_reliability_before_and_after(tmp_path: Path) -> None:
    found = evaluated(tmp_path, with_videos=False)
    scores = found.result.scores
    calibration = Calibration({GROOMING: Platt(2.0, -1.0)})
    figure = reliability_figure(
        found.pairs, actions=ACTIONS, scores=scores, calibration=calibration
    )
    assert figure is not None
    json.dumps(figure.plot, allow_nan=False)
    before, after = (figure.plot["data"][2], figure.plot["data"][1])
    assert before["line"]["dash"] == "dash"
    assert before["x"] != after["x"]
    assert sum(after["customdata"]) == 2 * 80 - 5  # ignored frames are left out
    assert len(figure.plot["data"]) == 5  # the other action has no calibration
    alone = reliability_figure(found.pairs, actions=ACTIONS, scores=scores)
    assert alone is not None
    assert len(alone.plot["data"]) == 4
    assert reliability_figure(found.pairs, actions=ACTIONS, scores={}) is None


def test_one_video_has_no_limits(tmp_path: Path) -> None:
    details = evaluated(tmp_path, with_videos=False).result.details
    assert details is not None
    one = next(iter(details.per_video.values()))
    shapes = agreement_figure(one.actions[TWITCH], action=ACTIONS[TWITCH]).plot["layout"]["shapes"]
    assert [s["line"].get("dash") for s in shapes] == [None, "solid", None, "solid"]
    without = replace(one, actions={k: replace(a, curves=None) for k, a in one.actions.items()})
    assert ranking_figure(without, actions=ACTIONS) is None
