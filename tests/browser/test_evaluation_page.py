"""The report of an evaluation, opened from the disk in a real browser without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.page import chromium
from evaluated import MODEL, beside_second, evaluated
from mouse_ar.report.page.html import write_page
from mouse_ar.report.page.sections import report_sections
from tiny import ACTIONS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser that is offline."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
            yield context.new_page()
        finally:
            browser.close()


def test_it_opens_offline_with_all_plots(page: Page, tmp_path: Path) -> None:
    found = beside_second(evaluated(tmp_path))
    # two videos twice, so that the fourth is folded
    sections = report_sections(
        found.result, records=[*found.records, *found.records], actions=ACTIONS, model=MODEL
    )
    path = tmp_path / "evaluation.html"
    write_page(path, sections, title="Evaluation")
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_function(
        "[...document.querySelectorAll('section > .plot')]"
        ".every(plot => plot.querySelector('.main-svg'))",
        timeout=30_000,
    )
    assert page.locator("section > .plot").count() == 3 + 4 + 2  # strips, curves, agreement
    assert page.locator("details .plot").count() == 1
    folded = page.locator("details", has=page.locator(".plot"))
    assert folded.locator(".main-svg").count() == 0
    folded.locator("summary").click()
    folded.locator(".main-svg").first.wait_for(timeout=30_000)
    box = folded.locator(".plot").bounding_box()
    assert box is not None
    assert box["width"] > 800  # drawn after it was opened, at its full width
    pictures = page.locator(".gallery img")
    assert pictures.count() == 3
    assert page.evaluate(
        "Promise.all([...document.querySelectorAll('.gallery img')]"
        ".map(i => { i.loading = 'eager'; return i.decode().then(() => i.naturalWidth); }))"
    ) == [64, 64, 64]
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert told == []
