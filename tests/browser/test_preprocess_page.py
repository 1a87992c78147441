"""The Preprocess app as a user meets it: every step, to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.conftest import OpenApp
from e2e.driver import REPO
from mouse_ar.synthetic import SyntheticConfig, write_dataset
from supervisely_double.double import Double, running

pytestmark = pytest.mark.slow

APP = REPO / "apps/preprocess"
VIDEOS = SyntheticConfig(
    num_videos=7,
    seconds_per_video=12.0,
    grooming_bouts_per_minute=10.0,
    grooming_seconds=(1.5, 3.0),
    twitches_per_minute=18.0,
)


def test_every_step_to_training_data(open_app: OpenApp, tmp_path: Path) -> None:
    write_dataset(VIDEOS, tmp_path / "input", dataset="cohort 1/day 1")
    with running(Double(tmp_path / "double")) as double:
        project = double.add_project("Home cage, week 3", folder=tmp_path / "input")
        environment = {**double.environment(), "CONTEXT_PROJECTID": str(project)}
        with open_app(APP, environment=environment) as (page, app):
            first = page.card("Step 1")
            page.see("7 videos, 1.4 min in all", within=first)
            page.see("Head/Body TWITCH", within=first)
            page.screenshot("step1")
            page.click("Continue", within=first)

            second = page.card("Step 2")
            page.see("learns the empty cage from the video", within=second)
            page.click("Show boxes on sample frames", within=second)
            page.see("Check that the box holds the whole mouse.", within=second)
            page.screenshot("step2")
            page.click("Continue", within=second)

            third = page.card("Step 3")
            page.see("7 of 7 videos are to be processed", within=third)
            page.see("Frames of each class in the training videos", within=third)
            third.get_by_text("Advanced", exact=True).click()
            page.see("Detect every … frames", within=third)
            page.page.wait_for_timeout(800)  # the panel slides open
            page.screenshot("step3")
            page.click("Continue", within=third)
            page.see("Clips of 2–3 s", within=third)

            fourth = page.card("Step 4")
            page.click("Make Training Data", within=fourth)
            page.see("Finding the mouse", within=fourth, seconds=60)
            page.screenshot("step4")
            fifth = page.card("Step 5")
            page.see("7 videos processed", within=fifth, seconds=120)
            page.see("Home cage, week 3 – training data", within=fifth)
            page.see("whole test videos", within=fifth)
            page.screenshot("step5")

            page.click("Change", within=fourth)
            page.click("Make Training Data", within=fourth)
            page.see("Nothing new: all 7 videos are up to date.", within=fifth, seconds=60)
            assert app.state("steps")["active_step"] == 5
