"""The common parts of the apps as a user meets them."""

from __future__ import annotations

import pytest

from browser.conftest import OpenApp
from browser.page import AppPage
from e2e.driver import REPO

pytestmark = pytest.mark.slow

SAMPLE = REPO / "tests/e2e/sample_app"


def to_the_run(page: AppPage, todo: str) -> None:
    first = page.card("Step 1")
    page.type(todo, within=first)
    page.click("Continue", within=first)
    page.see("The run is to do this", within=first)
    page.click("Continue", within=page.card("Step 2"))
    page.see("found by background subtraction", within=page.card("Step 2"))


def test_every_step_and_a_run_to_its_end(open_app: OpenApp) -> None:
    with open_app(SAMPLE) as (page, _):
        page.see("Complete “Step 1: Input” first.", within=page.card("Step 2"))
        page.click("Continue", within=page.card("Step 1"))
        page.see("Enter what the run is to do.")
        page.screenshot("1_what_is_missing")
        page.type("warn", within=page.card("Step 1"))
        page.click("Continue", within=page.card("Step 1"))

        second = page.card("Step 2")
        page.choose("Running session")
        page.see("Sessions without a model are not listed", within=second)
        page.click("Refresh", within=second)
        page.see("Class of the mouse", within=second)
        page.click("Show boxes on sample frames", within=second)
        page.see("Check that the box holds the whole mouse.")
        page.see("cage_1.mp4, frame 200")
        page.screenshot("2_detector")
        page.click("Continue", within=second)
        page.see("The mouse is found by session:4321", within=second)

        third = page.card("Step 3")
        page.click("Prepare data", within=third)
        page.see("frames/s", within=third)
        page.screenshot("3_running")
        page.see("2 videos done, 15 clips written.", within=third)
        page.see("cage_<2>.mp4: 2 tags lie past its last frame.", within=third)
        page.see("Frames of each class", within=third)
        page.screenshot("4_done")


def test_a_run_that_fails_and_one_that_is_stopped(open_app: OpenApp) -> None:
    with open_app(SAMPLE) as (page, _):
        to_the_run(page, "fail")
        third = page.card("Step 3")
        page.click("Prepare data", within=third)
        page.see("its header is damaged", within=third)
        page.screenshot("1_failed")
        page.click("Change", within=page.card("Step 1"))
        to_the_run(page, "slow")
        page.click("Prepare data", within=third)
        page.see("Finding the mouse", within=third)
        page.click("Change", within=page.card("Step 2"))
        page.see("A run goes on. Stop it before you change its settings.")
        page.click("Stop", within=third)
        page.see("Stopped. What was finished is kept", within=third)
        page.screenshot("2_stopped")


def test_a_page_opened_later_shows_what_is_done(open_app: OpenApp) -> None:
    environment = {"modal.state.autorun": "true", "modal.state.todo": "quick"}
    with open_app(SAMPLE, environment=environment) as (page, app):
        app.wait_for_note("run_outcome", "2 videos done")
        page.page.reload()
        page.see("2 videos done, 15 clips written.")
        assert "Complete “" not in page.text()
        page.screenshot("done")
