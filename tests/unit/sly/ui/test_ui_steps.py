from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from supervisely.app import DataJson, StateJson
from supervisely.app.widgets import Input

from mouse_ar.sly.ui.steps import Step, StepIncompleteError, Steps


def make(**options: Any) -> tuple[Steps, Input, Input]:
    """Two steps that want a word each, and one to run."""
    first, second = Input(widget_id="one_word"), Input(widget_id="two_word")

    def wants(widget: Input) -> Callable[[], str | None]:
        return lambda: None if widget.get_value() else "Enter a word."

    steps = [
        Step("one", "First", "Say one.", first, wants(first), lambda: f"It is {first.get_value()}"),
        Step("two", "Second", "Say two.", second, wants(second)),
        Step("run", "Run", "Go.", Input(widget_id="run_nothing"), button=None),
    ]
    return Steps(steps, **options), first, second


def locked(name: str) -> tuple[bool, str]:
    state = StateJson()[f"{name}_card"]["disabled"]
    return state["disabled"], state["message"]


def notes(name: str) -> list[str]:
    return [note["text"] for note in DataJson()[f"{name}_note"]["notes"]]


def hidden(widget_id: str) -> bool:
    return DataJson()[widget_id]["hide"]


def test_at_first_all_but_the_first_step_are_locked_and_say_why() -> None:
    steps, _, _ = make()
    assert steps.active.name == "one"
    assert StateJson()["steps"]["active_step"] == 1
    assert not locked("one")[0]
    assert locked("two") == (True, "Complete “Step 1: First” first.")
    assert locked("run")[0]
    assert not hidden("one_body")
    assert hidden("one_head")


def test_an_incomplete_step_says_what_is_missing() -> None:
    steps, first, _ = make()
    assert steps.proceed("one") == "Enter a word."
    assert notes("one") == ["Enter a word."]
    assert locked("two")[0]
    first.set_value("mouse")
    assert steps.proceed("one") is None
    assert notes("one") == ["It is mouse"]
    assert not locked("two")[0]
    assert hidden("one_body")
    assert not hidden("one_head")
    assert StateJson()["steps"]["active_step"] == 2


def test_change_locks_what_follows() -> None:
    steps, first, second = make()
    first.set_value("a")
    second.set_value("b")
    steps.complete()
    assert steps.active.name == "run"
    assert steps.change("one") is None
    assert steps.active.name == "one"
    assert notes("one") == notes("two") == []
    assert locked("two")[0]
    assert locked("run")[0]
    assert not hidden("two_body"), "it is shown again when its turn comes"


def test_a_step_whose_turn_it_is_not_does_nothing() -> None:
    steps, first, second = make()
    second.set_value("b")
    assert steps.proceed("two") is None
    assert steps.active.name == "one"
    first.set_value("a")
    steps.proceed("one")
    assert steps.proceed("one") is None
    assert steps.active.name == "two", "a second click does not skip a step"
    steps.change("run")
    assert steps.active.name == "two"


def test_a_stale_page_cannot_unlock_a_step() -> None:
    steps, _, _ = make()
    StateJson()["two_card"] = {"disabled": {"disabled": False, "message": ""}}
    StateJson()["steps"] = {"active_step": 3}
    steps.proceed("one")
    steps.change("one")
    assert locked("two")[0]
    assert StateJson()["steps"]["active_step"] == 1


def test_nothing_is_changed_while_a_run_goes_on() -> None:
    steps, first, second = make(busy=lambda: "A run goes on: stop it first.")
    first.set_value("a")
    second.set_value("b")
    steps.complete()
    assert steps.change("one") == "A run goes on: stop it first."
    assert steps.active.name == "run"
    assert notes("one") == ["It is a", "A run goes on: stop it first."]
    steps.tidy()
    assert notes("one") == ["It is a"]


def test_an_error_of_a_check_is_shown_in_place(caplog: pytest.LogCaptureFixture) -> None:
    def check() -> str | None:
        raise ZeroDivisionError("oops")

    steps = Steps([Step("one", "First", "x", Input(widget_id="one_x"), check)])
    message = steps.proceed("one")
    assert message is not None
    assert "failed unexpectedly (ZeroDivisionError: oops)" in message
    assert notes("one") == [message]
    assert "Traceback" in caplog.text


def test_a_run_without_a_user() -> None:
    steps, first, second = make()
    started: list[bool] = []
    assert steps.autorun(lambda: started.append(True)) == (
        "Step 1: First is not complete: Enter a word."
    )
    assert not started
    first.set_value("a")
    with pytest.raises(StepIncompleteError, match="Step 2: Second"):
        steps.complete()
    second.set_value("b")
    assert steps.autorun(lambda: started.append(True)) is None
    assert started == [True]


def test_what_was_set_can_be_saved_and_restored() -> None:
    steps, first, second = make()
    first.set_value("a")
    second.set_value("b")
    steps.complete()
    saved = json.loads(json.dumps(steps.save()))
    assert saved["active"] == "run"
    assert set(saved["widgets"]) == {"one_word", "two_word", "run_nothing"}
    first.set_value("")
    steps.change("one")
    saved["widgets"]["gone_widget"] = {"value": 1}
    steps.restore(saved)
    assert steps.active.name == "run"
    assert first.get_value() == "a"


def test_restoring_stops_at_what_is_not_complete() -> None:
    steps, _, _ = make()
    steps.restore({"active": "run", "widgets": {"one_word": {"value": "a"}}})
    assert steps.active.name == "two"


def test_on_done_fills_the_next_step() -> None:
    filled: list[str] = []
    step = Step("a", "A", "x", Input(widget_id="a_x"), on_done=lambda: filled.append("next"))
    last = Step("b", "B", "x", Input(widget_id="b_x"), button=None)
    Steps([step, last]).proceed("a")
    assert filled == ["next"]


def test_names_are_unique() -> None:
    step = Step("a", "A", "x", Input(widget_id="a_x"))
    with pytest.raises(ValueError, match="names of their own"):
        Steps([step, step])
