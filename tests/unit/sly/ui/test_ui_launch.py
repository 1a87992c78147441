from __future__ import annotations

from typing import Any

import pytest

from mouse_ar.sly.ui.launch import LaunchError, ModalState, app_context

API: Any = object()


def test_what_the_platform_tells() -> None:
    context = app_context(
        {
            "context.teamId": "3",
            "WORKSPACE_ID": "4",
            "modal.state.slyProjectId": "5",
            "CONTEXT_DATASETID": "",
            "TASK_ID": "7",
            "ENV": "production",
            "modal.state.autorun": "true",
        },
        api=API,
    )
    assert (context.team_id, context.workspace_id, context.project_id) == (3, 4, 5)
    assert (context.dataset_id, context.task_id) == (None, 7)
    assert context.production
    assert context.autorun


def test_on_a_developers_computer() -> None:
    context = app_context({}, api=API)
    assert not context.production
    assert not context.autorun
    with pytest.raises(LaunchError, match=r"No project id.*PROJECT_ID"):
        context.need("project_id")


def test_without_an_instance_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVER_ADDRESS", raising=False)
    with pytest.raises(ValueError, match="SERVER_ADDRESS"):
        app_context({})


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("True", True), ("false", False), ("0", False), ("null", True)]
)
def test_flags(text: str, value: bool) -> None:
    assert ModalState({"x": text}).flag("x", default=True) is value


def test_values_of_the_dialog() -> None:
    modal = ModalState({"n": " 12 ", "f": "0.5", "t": "a b", "nothing": "undefined"})
    assert modal.integer("n") == 12
    assert modal.number("f") == 0.5
    assert modal.text("t") == "a b"
    assert modal.text("nothing", "default") == "default"
    assert modal.integer("gone", 3) == 3
    assert dict(modal)["n"] == " 12 "


def test_what_they_cannot_mean() -> None:
    modal = ModalState({"x": "many"})
    with pytest.raises(LaunchError, match=r"modal.state.x is true or false.*'many'"):
        modal.flag("x")
    with pytest.raises(LaunchError, match="whole number"):
        modal.integer("x")
    with pytest.raises(LaunchError, match=r"is a number, got 'many'"):
        modal.number("x")
    with pytest.raises(LaunchError, match="PROJECT_ID is a whole number"):
        app_context({"PROJECT_ID": "12.5"}, api=API)
