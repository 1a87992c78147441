"""A browser on an app's page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from browser.npm_packages import npm_packages
from browser.page import AppPage, browser_page, chromium
from e2e.driver import AppDriver, running_app

OpenApp = Callable[..., AbstractContextManager[tuple[AppPage, AppDriver]]]


@pytest.fixture(scope="session")
def page_modules() -> Path:
    """Packages of npm, fetched when first needed; no browser, no packages."""
    chromium()
    return npm_packages()


@pytest.fixture
def open_app(page_modules: Path, tmp_path: Path, request: pytest.FixtureRequest) -> OpenApp:
    """Start an app of a folder with ``main.py`` and open its page.

    Screenshots go to ``MOUSE_AR_SCREENSHOTS``, or to the test's own folder.
    """
    name = re.sub(r"\W+", "_", request.node.name)

    @contextmanager
    def opened(
        app_dir: Path,
        *,
        environment: Mapping[str, str] | None = None,
        production: bool = False,
    ) -> Iterator[tuple[AppPage, AppDriver]]:
        with (
            running_app(
                app_dir, tmp_path / "app", environment=environment, production=production
            ) as app,
            browser_page(app.url, modules=page_modules, screenshots=tmp_path / name) as page,
        ):
            yield page, app
            assert page.errors() == []

    return opened
