"""An app's page in a real browser, with stand-ins for the platform's scripts."""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

HERE = Path(__file__).parent
# In the order in which they are loaded.
_SCRIPTS = (
    "vue/dist/vue.js",
    "element-ui/lib/index.js",
    "element-ui/lib/umd/locale/en.js",
    "lodash/lodash.js",
    "apexcharts/dist/apexcharts.js",
)
_STYLES = (
    "element-ui/lib/theme-default/index.css",
    "material-design-iconic-font/dist/css/material-design-iconic-font.css",
)
_FONTS = ("element-ui/lib/theme-default/fonts", "material-design-iconic-font/dist/fonts")
SECONDS = 30.0


class AppPage:
    """What a user does with the page of an app.

    Widgets of ours have no id in the page, so they are found by what the user reads.

    Args:
        page: of Playwright.
        screenshots: folder for pictures.
    """

    def __init__(self, page: Page, *, screenshots: Path) -> None:
        self.page, self._screenshots = page, screenshots

    def card(self, title: str) -> Any:
        """The card whose heading holds a text."""
        return self.page.locator(".stand-in-card").filter(
            has=self.page.locator(".stand-in-card-head", has_text=title)
        )

    def click(self, text: str, *, within: Any = None) -> None:
        """Press a visible button."""
        scope = self.page if within is None else within
        name = re.compile(rf"^\W*{re.escape(text)}\W*$")  # an icon before it is a letter, too
        scope.get_by_role("button", name=name).locator("visible=true").first.click()

    def choose(self, label: str) -> None:
        """Choose a radio button."""
        self.page.locator("label.el-radio", has_text=label).click()

    def type(self, text: str, *, within: Any, number: int = 0) -> None:
        """Type into a text field of a card."""
        within.locator("input[type=text]:visible, textarea:visible").nth(number).fill(text)

    def field(self, title: str, *, within: Any) -> Any:
        """The field with a title; not one that it lies in."""
        heading = self.page.locator("b").filter(has_text=title)
        return within.locator(".stand-in-field").filter(has=heading).last

    def select(self, label: str, *, of: Any) -> None:
        """Choose from the list of a field."""
        of.locator(".el-select").click()
        self.page.locator(".el-select-dropdown__item:visible", has_text=label).click()

    def holds(self, box: Any, text: str, *, seconds: float = SECONDS) -> None:
        """Wait until a text field holds a text among others."""
        from playwright.sync_api import expect

        expect(box).to_have_value(re.compile(re.escape(text)), timeout=1000 * seconds)

    def see(self, text: str, *, within: Any = None, seconds: float = SECONDS) -> None:
        """Wait until a text can be read."""
        scope = self.page if within is None else within
        scope.get_by_text(text).locator("visible=true").first.wait_for(timeout=1000 * seconds)

    def text(self, *, within: Any = None) -> str:
        """All that can be read."""
        return (self.page.locator("body") if within is None else within).inner_text()

    def errors(self) -> list[str]:
        """What went wrong in the page."""
        return list(self.page.evaluate("window.pageErrors"))

    def screenshot(self, name: str, *, of: Any = None) -> Path:
        """Take a picture of the whole page, or of a part of it such as a card."""
        self._screenshots.mkdir(parents=True, exist_ok=True)
        path = self._screenshots / f"{name}.png"
        if of is None:
            self.page.screenshot(path=path, full_page=True)
        else:
            of.screenshot(path=path)
        return path


def chromium() -> str:
    """The browser; skips without it, which is a failure in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is missing: apt-get install chromium, or make browser")
    return found


@contextmanager
def browser_page(
    url: str, *, modules: Path, screenshots: Path, width_px: int = 1200
) -> Iterator[AppPage]:
    """Open an app's page, fully loaded.

    Args:
        url: of the app.
        modules: folder of the npm packages.
        screenshots: folder for pictures; ``MOUSE_AR_SCREENSHOTS`` wins.
        width_px: of the window.
    """
    from playwright.sync_api import sync_playwright

    folder = Path(os.environ.get("MOUSE_AR_SCREENSHOTS") or screenshots)
    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox.
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            page = browser.new_page(viewport={"width": width_px, "height": 900})
            page.route(
                re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: _answer(route, modules)
            )
            page.goto(url, wait_until="load")
            page.wait_for_function("window.slyApp !== undefined", timeout=1000 * SECONDS)
            yield AppPage(page, screenshots=folder)
        finally:
            browser.close()


def _answer(route: Route, modules: Path) -> None:
    """What comes from elsewhere comes from the stand-ins; nothing leaves this computer."""
    name = route.request.url.partition("?")[0].rsplit("/", 1)[-1]
    fonts = [modules / folder / name for folder in _FONTS]
    font = next((path for path in fonts if path.is_file()), None)
    if name.endswith(".bundle.js"):
        sources = [*(modules / part for part in _SCRIPTS), HERE / "stand_ins.js"]
        _fulfil(
            route, "\n;".join(p.read_text(encoding="utf-8") for p in sources), "text/javascript"
        )
    elif name.endswith(".bundle.css"):
        sources = [*(modules / part for part in _STYLES), HERE / "stand_ins.css"]
        _fulfil(route, "\n".join(p.read_text(encoding="utf-8") for p in sources), "text/css")
    elif name == "SlyApp.js":
        _fulfil(route, (HERE / "shell.js").read_text(encoding="utf-8"), "text/javascript")
    elif font is not None:
        kind = mimetypes.guess_type(name)[0] or "font/woff"
        route.fulfill(
            body=font.read_bytes(),
            content_type=kind,
            headers={"Access-Control-Allow-Origin": "*"},
        )
    elif name == "socket.io.js":
        _fulfil(route, "", "text/javascript")
    else:
        route.abort()


def _fulfil(route: Route, body: str, kind: str) -> None:
    route.fulfill(
        body=body,
        content_type=f"{kind}; charset=utf-8",
        headers={"Access-Control-Allow-Origin": "*"},
    )
