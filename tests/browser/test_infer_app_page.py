"""The Infer app as a user meets it; the pictures of its page are taken here."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.conftest import OpenApp
from e2e.infer_setting import APP, infer_setting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_every_step_clicked_through(open_app: OpenApp, tmp_path: Path) -> None:
    with infer_setting(tmp_path / "instance") as setting:
        environment = {
            **setting.double.environment(),
            "PROJECT_ID": str(setting.project),
            "MOUSE_AR_CACHE": str(tmp_path / "cache"),
            "modal.state.device": "cpu",
        }
        with open_app(APP, environment=environment) as (page, _):
            first = page.card("Step 1")
            page.see("Chosen: 3 videos", within=first)
            page.screenshot("step1", of=first)
            page.click("Continue", within=first)
            page.see("all datasets", within=first)

            second = page.card("Step 2")
            page.click("Show what is known about it", within=second)
            page.see("MVD vit_tiny, 32 × 32 pixels", within=second)
            page.screenshot("step2", of=second)
            page.click("Continue", within=second)
            page.see("“all cages”: MVD vit_tiny", within=second)

            third = page.card("Step 3")
            page.choose("Address or local file")
            page.see("The address of a detector served", within=third)
            page.type(setting.detector_url, within=third)
            page.click("Show boxes on sample frames", within=third)
            page.see("Check that the box holds the whole mouse.", within=third)
            page.screenshot("step3", of=third)
            page.click("Continue", within=third)
            page.see("The mouse is found by", within=third)

            fourth = page.card("Step 4")
            page.see("Shortest bout (s)", within=fourth)
            page.see("Fitted values: fitted to 34 true bouts in 5 videos", within=fourth)
            page.see("Default values: only 7 true bouts", within=fourth)
            page.screenshot("step4", of=fourth)
            number = fourth.locator("input:visible").nth(0)
            number.fill("0.85")
            number.press("Tab")
            page.page.wait_for_timeout(800)  # the field waits whether more is typed
            page.click("Continue", within=fourth)
            page.see("Changed: Self-Grooming", within=fourth)
            page.click("Change", within=fourth)
            page.click("Reset to the values of the model", within=fourth)
            page.click("Continue", within=fourth)
            page.see("The values of the model.", within=fourth)

            fifth = page.card("Step 5")
            page.click("Find bouts", within=fifth)
            page.see("3 videos annotated", within=fifth, seconds=90)
            page.see("summary.csv", within=fifth)
            page.see("Bouts per hour", within=fifth)
            page.screenshot("step5", of=fifth)

            page.click("Change", within=fourth)
            minimum = fourth.locator("input:visible").nth(2)
            minimum.fill("30")
            minimum.press("Tab")
            page.page.wait_for_timeout(800)
            page.click("Continue", within=fourth)
            page.see("min_bout_seconds = 30", within=fourth)
            page.click("Decode again", within=fifth)
            page.see("3 videos decoded again: 0 Self-Grooming (2 before)", within=fifth)
            page.screenshot("step5_again", of=fifth)
