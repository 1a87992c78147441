"""The Train app as a user meets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from browser.conftest import OpenApp
from e2e.driver import REPO
from e2e.test_train_app import training_data
from e2e.train_setting import TINY, environment
from mouse_ar.sly.ui.train_form import MORE
from supervisely_double.double import Double, running

pytestmark = pytest.mark.slow

__all__ = ["training_data"]

APP = REPO / "apps/train"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(Double(tmp_path / "double")) as started:
        yield started


def test_every_step_and_a_training(double: Double, training_data: Path, open_app: OpenApp) -> None:
    project = double.add_project("mice: training data", folder=training_data)
    with open_app(APP, environment=environment(double, project)) as (page, app):
        first = page.card("Step 1")
        page.see("Self-Grooming bouts", within=first)
        page.see("more labelled bouts", within=first)
        page.screenshot("step1")
        page.click("Continue", within=first)
        page.see("clips to train on", within=first)

        second = page.card("Step 2")
        page.see("not for commercial use", within=second)
        page.see("ViT-S, distilled from ViT-B teachers", within=second)
        page.screenshot("step2")
        page.choose("Tiny")
        page.see("not for results", within=second)
        page.choose("Nothing (from scratch)")
        page.click("Continue", within=second)
        page.see("trained from scratch", within=second)

        third = page.card("Step 3")
        page.see("Estimated memory of a GPU", within=third, seconds=5)
        page.screenshot("step3")
        for section in MORE:
            third.get_by_text(section, exact=True).click()
        text = third.locator("textarea:visible").first
        page.field("Label smoothing", within=third).locator("input").fill("0.25")
        page.holds(text, "smoothing: 0.25")
        page.field("Compile the model", within=third).locator(".el-switch").click()
        page.holds(text, "compile: true")
        page.select("All eight poses", of=page.field("Flips", within=third))
        page.holds(text, "flip: dihedral")
        page.screenshot("step3_more", of=third)
        text.fill(yaml.safe_dump({**TINY, "epochs": 0}))
        page.click("Check the settings", within=third)
        page.see("epochs must be at least 1, got 0", within=third)
        text.fill(yaml.safe_dump({**TINY, "epochs": 8}))
        page.click("Check the settings", within=third)
        page.see("4 frames at a time", within=third)
        page.click("Continue", within=third)

        fourth = page.card("Step 4")
        page.see("where Infer Mouse Actions finds them", within=fourth)
        page.type("Grooming and twitches, 7 videos", within=fourth)
        page.screenshot("step4")
        page.click("Continue", within=fourth)

        fifth = page.card("Step 5")
        page.click("Start training", within=fifth)
        page.see("windows/s", within=fifth, seconds=60)
        app.wait_for_note("run_outcome", "The best checkpoint", seconds=120)
        page.see("Artifacts in Team Files", within=fifth)
        page.screenshot("step5")
        assert app.data("run_metrics")["total"] == 2
