"""What the report says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluated import MODEL, SECOND, beside_second, evaluated
from mouse_ar.core.bootstrap import ConfidenceInterval
from mouse_ar.report.page.blocks import Block, Figure, Section, Table, Text
from mouse_ar.report.page.key_numbers import action_words, key_number_blocks
from mouse_ar.report.page.model import model_blocks, settings_blocks
from mouse_ar.report.page.sections import report_sections
from tiny import ACTIONS, GROOMING, TWITCH


def words(blocks: tuple[Block, ...] | list[Block]) -> str:
    return "\n".join(f"{b.lead} {b.text}" for b in blocks if isinstance(b, Text))


def table(blocks: tuple[Block, ...] | list[Block], first: str) -> dict[str, tuple[str, ...]]:
    (found,) = (b for b in blocks if isinstance(b, Table) and b.columns[0] == first)
    return {row[0]: tuple(row[1:]) for row in found.rows}


def test_all_parts_in_order(tmp_path: Path) -> None:
    found = evaluated(tmp_path)
    sections = report_sections(
        found.result, records=found.records, actions=ACTIONS, model=MODEL, facts={"split": "test"}
    )
    assert [s.title for s in sections] == [
        "The model",
        "How good it is",
        "Bouts over time",
        "Frames and bouts",
        "Counts and durations",
        "The worst errors",
        "Settings and versions",
    ]
    by_title = {s.title: s.blocks for s in sections}
    plots = {
        title: len([b for b in blocks if isinstance(b, Figure)])
        for title, blocks in by_title.items()
    }
    assert plots["Bouts over time"] == 2
    assert plots["Frames and bouts"] == 4
    assert plots["Counts and durations"] == 2
    assert table(by_title["Settings and versions"], "this evaluation")["split"] == ("test",)


def test_the_model_in_words() -> None:
    blocks = model_blocks(MODEL)
    assert "vit_tiny (12 blocks, width 192)" in words(blocks)
    assert "16 frames at a time, 2 apart: 1.28 s of video at the 25 frames" in words(blocks)
    assert "after epoch 5 were kept, by its validation score of 0.812" in words(blocks)
    origin = table(blocks, "origin")
    assert origin["training data (fingerprint)"] == ("cd" * 32,)
    assert origin["weights at the start"] == ("random",)
    decoding = table(blocks, "action")
    assert decoding[GROOMING][1:] == ("fitted", "40 bouts", "0.700 with defaults, 0.750 as used")
    assert decoding[TWITCH][1:] == ("default", "only 6 true bouts", "–")


def test_changed_and_unfitted_decoding_is_told() -> None:
    changed = MODEL.decoding.with_overrides({f"{GROOMING}.on_threshold": 0.9})
    metadata = {"decoding_report": {"note": "No val videos."}}
    blocks = model_blocks(replace(MODEL, decoding=changed, metadata=metadata))
    assert "No val videos." in words(blocks)
    assert table(blocks, "action")[GROOMING][1] == "changed by hand"
    assert "on_threshold 0.9" in table(blocks, "action")[GROOMING][0]
    assert table(blocks, "action")[TWITCH][1] == "default"
    rule = evaluated(Path("nowhere"), with_videos=False).result.evaluation.rule
    assert len(settings_blocks(rule, facts={}, model=MODEL)) == 2  # with those of the training
    assert len(settings_blocks(rule, facts={}, model=None)) == 1


def test_key_numbers_in_words(tmp_path: Path) -> None:
    result = evaluated(tmp_path, with_videos=False).result
    assert result.details is not None
    found = action_words(result.evaluation, result.details, action=TWITCH, who="The model")
    assert found.startswith("Of 100 true bouts the model finds about 50 (95 % interval 0 to 100). ")
    assert "Of 100 reported bouts about 50 are real (95 % interval" in found
    assert "the count is on average right and the time right." in found
    assert "The start of a found bout is on average right." in found
    assert found.endswith("Judged on 2 true bouts in 0.3 minutes of 2 videos.")
    grooming = action_words(result.evaluation, result.details, action=GROOMING, who="The model")
    assert "the count is on average 0.5 too high and the time 0.5 s too long" in grooming
    assert "The start of a found bout is on average 0.10 s late." in grooming
    assert "test/broken.mp4 could not be scored: no video stream" in words(
        key_number_blocks(result)
    )


def test_one_video_has_no_interval_and_nothing_true_is_said_so(tmp_path: Path) -> None:
    result = evaluated(tmp_path, with_videos=False).result
    assert result.details is not None
    empty = replace(result.evaluation.pooled[GROOMING].bouts, tp=0, fp=0, fn=0)
    pooled = {GROOMING: replace(result.evaluation.pooled[GROOMING], bouts=empty)}
    one = replace(result.evaluation, pooled=pooled, per_video={SECOND: {}})
    details = replace(result.details, intervals=None)
    found = action_words(one, details, action=GROOMING, who="A second person")
    assert "There are no true bouts" in found
    assert "A second person reports none." in found
    assert "interval" not in found.replace("one video: no interval", "")


def test_intervals_are_those_of_the_figure(tmp_path: Path) -> None:
    result = evaluated(tmp_path, with_videos=False).result
    assert result.details is not None
    assert result.details.intervals is not None
    intervals = replace(
        result.details.intervals,
        by_action={TWITCH: {"bout_recall": ConfidenceInterval(0.79, 0.93)}},
    )
    details = replace(result.details, intervals=intervals)
    found = action_words(result.evaluation, details, action=TWITCH, who="The model")
    assert "about 50 (95 % interval 79 to 93)." in found
    assert found.count("95 % interval") == 1


@pytest.mark.parametrize("alone", [False, True])
def test_a_second_annotator_beside_the_model_or_alone(tmp_path: Path, alone: bool) -> None:
    found = beside_second(evaluated(tmp_path), alone=alone)
    sections = report_sections(
        found.result, records=found.records, actions=ACTIONS, model=None if alone else MODEL
    )
    by_title = {section.title: section for section in sections}
    assert ("The model" in by_title) != alone
    said = words(by_title["How good it is"].blocks)
    assert "a second person finds about 100" in said
    assert ("the model finds about" in said) != alone
    if not alone:
        columns = table(by_title["How good it is"].blocks, GROOMING)
        assert len(columns["bout F1"]) == 2
        assert f"Not labelled by the second annotator: {SECOND}." in said
        assert "Note: a note" in said
    assert _rows(by_title["Bouts over time"]) == (
        ["true", "second person"] if alone else ["true", "second person", "predicted"]
    )


def _rows(section: Section) -> list[str]:
    strip = next(block for block in section.blocks if isinstance(block, Figure))
    ticks = strip.plot["layout"]["yaxis"]["ticktext"]
    return [tick.split(" · ")[1] for tick in ticks if tick.startswith(GROOMING)]


def test_without_details_the_table_of_the_videos_is_left(tmp_path: Path) -> None:
    found = evaluated(tmp_path, with_videos=False)
    plain = replace(found.result, details=None)
    titles = [s.title for s in report_sections(plain, records=found.records, actions=ACTIONS)]
    assert titles == [
        "How good it is",
        "Bouts over time",
        "The worst errors",
        "Settings and versions",
    ]
