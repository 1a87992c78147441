"""Drives an app over HTTP by the ids of its widgets, as the page would; no browser needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from doubles.servers import free_port

REPO = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
# What a developer's or CI's own settings would change in an app.
_FOREIGN = ("PYTEST", "modal.state.", "context.", "CONTEXT_", "SLY_")
_FOREIGN_NAMES = {"PROJECT_ID", "DATASET_ID", "TASK_ID", "TEAM_ID", "WORKSPACE_ID", "ENV"}

_BUTTON_SECONDS = 2.0


class AppError(AssertionError):
    """The app did not do what a test expects; carries its log."""


class AppDriver:
    """An app that runs in a process of its own.

    Args:
        url: where it answers.
        log_path: what it prints.
        process: its process.
    """

    def __init__(self, url: str, *, log_path: Path, process: subprocess.Popen[bytes]) -> None:
        self.url, self._log_path, self._process = url, log_path, process
        self._http = httpx.Client(base_url=url, timeout=120, trust_env=False)

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def state(self, widget_id: str | None = None) -> Any:
        """What the user set: of all widgets, or of one."""
        return self._of(self._post("/sly/state"), widget_id)

    def data(self, widget_id: str | None = None) -> Any:
        """What the app shows: of all widgets, or of one."""
        return self._of(self._post("/sly/data"), widget_id)

    def notes(self, widget_id: str) -> list[str]:
        """The lines of a ``Notes`` widget."""
        return [note["text"] for note in self.data(widget_id)["notes"]]

    def set(self, widget_id: str, *, call: str | None = None, **values: Any) -> None:
        """Set values of a widget's state, such as ``value``, and send the whole state.

        Args:
            widget_id: of the widget.
            call: route of the widget to call, such as ``value_changed``, where it has a handler.
            values: new entries of its state.
        """
        state = self.state()
        if widget_id not in state:
            raise self.error(f"No widget {widget_id!r} has state; there are {sorted(state)}.")
        state[widget_id].update(values)
        self._post(f"/{widget_id}/{call}" if call else "/sly/state", state=state)

    def click(self, widget_id: str) -> None:
        """Press a button; returns when its handler has.

        Raises:
            AppError: when the page would not let it be pressed, or its handler fails.
        """
        # A note may be there a moment before the buttons follow, as a user would wait for.
        until = time.monotonic() + _BUTTON_SECONDS
        while (data := self.data(widget_id)).get("disabled") or data.get("hide"):
            if time.monotonic() > until:
                raise self.error(f"The button {widget_id!r} is disabled or hidden.")
            time.sleep(0.05)
        self._post(f"/{widget_id}/button_clicked_cb", state=self.state())

    def wait(
        self, condition: Callable[[AppDriver], Any], *, what: str = "", seconds: float = 120.0
    ) -> Any:
        """Wait until a condition holds; what it returned."""
        until = time.monotonic() + seconds
        while True:
            over = self._process.poll() is not None
            result = condition(self)
            if result:
                return result
            if over:
                raise self.error(f"The app ended while waiting for {what or condition}.")
            if time.monotonic() > until:
                raise self.error(f"Not within {seconds:.0f} s: {what or condition}.")
            time.sleep(0.1)

    def wait_for_note(self, widget_id: str, text: str, *, seconds: float = 120.0) -> None:
        """Wait for a line that holds a text."""
        self.wait(
            lambda app: any(text in line for line in app.notes(widget_id)),
            what=f"{text!r} in {widget_id}",
            seconds=seconds,
        )

    def ended(self, seconds: float) -> int:
        """Wait until the app ends by itself; its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.error(f"The app did not end within {seconds:.0f} s.") from None

    def kill(self) -> None:
        """End its process as a power cut would."""
        self._process.kill()
        self._process.wait(10)

    def close(self) -> int | None:
        """Close the app as the platform does; its exit code."""
        if self._process.poll() is None:
            try:
                self._http.post("/sly/shutdown", timeout=60)
            except httpx.TransportError:
                self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._http.close()
        return self._process.returncode

    def terminate(self) -> None:
        """End the app's process as a container's end does."""
        self._process.terminate()
        self._process.wait(60)

    def error(self, text: str) -> AppError:
        """An error with the app's log."""
        return AppError(f"{text}\n--- log of the app ---\n{self.log[-6000:]}")

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._http.get("/is_ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def started(self) -> bool:
        """Whether it answers, or is over again: what runs without a user may end at once."""
        over = self._process.poll() is not None
        return self.ready() or (over and "Application startup complete." in self.log)

    def _post(self, path: str, *, state: Mapping[str, Any] | None = None) -> Any:
        body = None if state is None else {"state": state, "context": {}, "payload": {}}
        answer = self._http.post(path, json=body)
        if answer.status_code != 200:
            raise self.error(f"POST {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def _of(self, values: dict[str, Any], widget_id: str | None) -> Any:
        if widget_id is None:
            return values
        if widget_id not in values:
            raise self.error(f"No widget {widget_id!r}; there are {sorted(values)}.")
        return values[widget_id]


@contextmanager
def running_app(
    app_dir: Path,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    production: bool = False,
) -> Iterator[AppDriver]:
    """Start ``main:app`` of a folder as the platform does; closed in the end.

    Args:
        app_dir: folder with ``main.py``, such as ``apps/preprocess``.
        folder: for the app's files and its log.
        environment: what the platform tells it; wins over all else.
        production: whether it believes to be on the platform, which then has to answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port"]
    command += [str(port), "--ws", "websockets", "--app-dir", str(app_dir)]
    log_path = folder / "app.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=REPO,
            env=_environment(folder, environment or {}, production=production),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    app = AppDriver(f"http://127.0.0.1:{port}", log_path=log_path, process=process)
    try:
        app.wait(AppDriver.started, what="the app to answer", seconds=START_SECONDS)
        yield app
    finally:
        app.close()


def _environment(folder: Path, given: Mapping[str, str], *, production: bool) -> dict[str, str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name not in _FOREIGN_NAMES
    }
    paths = [str(REPO / "src"), *filter(None, [own.get("PYTHONPATH")])]
    return {
        **own,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "SERVER_ADDRESS": "http://127.0.0.1:9",  # nobody is there
        "API_TOKEN": "token-of-tests",
        "SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK": "true",
        "SLY_APP_DATA_DIR": str(folder / "data"),
        "ENV": "production" if production else "development",
        **given,
    }
