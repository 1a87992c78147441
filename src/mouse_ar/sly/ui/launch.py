"""What the platform tells an app at its start, and the app's own set-up."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisely import Application
from supervisely.app.widgets import Card, Container, Widget

from mouse_ar.sly.instance import open_api
from mouse_ar.sly.ui.ending import end_within
from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.widgets import Notes

if TYPE_CHECKING:
    from supervisely import Api

__all__ = [
    "AppContext",
    "LaunchError",
    "ModalState",
    "app_context",
    "build_app",
    "data_dir",
    "failed_app",
    "static_dir",
]

# The names that the platform and its SDK use, first come first served.
_NAMES: dict[str, tuple[str, ...]] = {
    "team_id": ("CONTEXT_TEAMID", "context.teamId", "TEAM_ID"),
    "workspace_id": ("CONTEXT_WORKSPACEID", "context.workspaceId", "WORKSPACE_ID"),
    "project_id": (
        "CONTEXT_PROJECTID",
        "context.projectId",
        "modal.state.slyProjectId",
        "PROJECT_ID",
        "modal.state.inputProjectId",
    ),
    "dataset_id": (
        "CONTEXT_DATASETID",
        "context.datasetId",
        "modal.state.slyDatasetId",
        "DATASET_ID",
        "modal.state.inputDatasetId",
    ),
    "task_id": ("TASK_ID",),
}
_MODAL = "modal.state."
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
_NOTHING = {"", "null", "none", "undefined"}


class LaunchError(ValueError):
    """The app was started with something it cannot use."""


class ModalState(Mapping[str, str]):
    """What was chosen in the dialog before the start: text that is read as what it means.

    Args:
        values: of the environment variables ``modal.state.NAME``, by name.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no.

        Raises:
            LaunchError: when it is neither.
        """
        text = self._text(name)
        if text is None:
            return default
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise LaunchError(f"{_MODAL}{name} is true or false (1 or 0), got {text!r}.")

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A whole number.

        Raises:
            LaunchError: when it is none.
        """
        text = self._text(name)
        return default if text is None else _integer(f"{_MODAL}{name}", text)

    def number(self, name: str, default: float | None = None) -> float | None:
        """A number.

        Raises:
            LaunchError: when it is none.
        """
        text = self._text(name)
        if text is None:
            return default
        try:
            return float(text)
        except ValueError:
            raise LaunchError(f"{_MODAL}{name} is a number, got {text!r}.") from None

    def text(self, name: str, default: str | None = None) -> str | None:
        """Text; nothing at all counts as not given."""
        text = self._text(name)
        return default if text is None else text

    def _text(self, name: str) -> str | None:
        text = self._values.get(name, "").strip()
        return None if text.lower() in _NOTHING else text


@dataclass(frozen=True)
class AppContext:
    """Where an app runs and what it was started on.

    Args:
        api: of the instance.
        team_id: its team.
        workspace_id: its workspace.
        project_id: the project it was started from.
        dataset_id: the dataset it was started from, if it was one.
        task_id: its own task; None on a developer's computer.
        modal: what was chosen before the start.
        production: whether the platform started it.
    """

    api: Api
    team_id: int | None
    workspace_id: int | None
    project_id: int | None
    dataset_id: int | None
    task_id: int | None
    modal: ModalState = field(default_factory=lambda: ModalState({}))
    production: bool = False

    @property
    def autorun(self) -> bool:
        """Whether to start without a user: ``modal.state.autorun``."""
        return self.modal.flag("autorun")

    def need(self, name: str) -> int:
        """One of the numbers, which this app cannot do without.

        Raises:
            LaunchError: when it was not given; says where it comes from.
        """
        value = getattr(self, name)
        if value is None:
            raise LaunchError(
                f"No {name.replace('_', ' ')}: start the app from the menu of a project, or set "
                f"{_NAMES[name][-1] if name in ('team_id', 'workspace_id') else name.upper()}."
            )
        return int(value)


def app_context(
    environment: Mapping[str, str] | None = None, *, api: Api | None = None
) -> AppContext:
    """Read the environment.

    Args:
        environment: the process's own by default.
        api: of the instance; opened from the environment by default.

    Raises:
        LaunchError: when a number is none.
        ValueError: when the instance is not named.
    """
    given = os.environ if environment is None else environment
    numbers = {name: _first(given, keys) for name, keys in _NAMES.items()}
    modal = {k[len(_MODAL) :]: v for k, v in given.items() if k.startswith(_MODAL)}
    return AppContext(
        api=open_api() if api is None else api,
        **numbers,
        modal=ModalState(modal),
        production=given.get("ENV", "").lower() == "production",
    )


def data_dir(name: str) -> Path:
    """A folder of the app; it outlives the process where ``SLY_APP_DATA_DIR`` is set.

    Args:
        name: of the folder.
    """
    own = os.environ.get("SLY_APP_DATA_DIR") or os.environ.get("DEBUG_APP_DIR")
    folder = Path(own) / name if own else Path(tempfile.mkdtemp(prefix=f"mouse-ar-{name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def static_dir() -> Path:
    """The folder that :func:`build_app` serves as ``/static``, for pictures and reports."""
    return data_dir("static")


def build_app(layout: Widget, *, static: Path) -> Application:
    """The app of ``main.py``: ``uvicorn main:app``.

    Args:
        layout: what to show.
        static: folder to serve as ``/static``.
    """
    app = Application(layout=layout, static_dir=str(static))
    end_within(app)
    return app


def failed_app(error: Exception, *, static: Path) -> Application:
    """An app that only says why it cannot be used: better than a task that ends at once."""
    note = Notes("launch_error", explain(error, doing="The start"), severity="error")
    hint = Notes("launch_hint", "Nothing was changed. Put this right and start the app again.")
    content = Container([note, hint], widget_id="launch_notes")
    card = Card(title="The app cannot start", content=content, widget_id="launch_card")
    return build_app(card, static=static)


def _first(environment: Mapping[str, str], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        text = environment.get(key, "").strip()
        if text.lower() not in _NOTHING:
            return _integer(key, text)
    return None


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise LaunchError(f"{name} is a whole number, like 12345; got {text!r}.")
    return int(text)
