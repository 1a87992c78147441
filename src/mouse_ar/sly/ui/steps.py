"""An app as a list of steps: each is checked before the next one opens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisely.app import StateJson
from supervisely.app.widgets import Button, Card, Container, Flexbox, Stepper, Widget

from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.widgets import Notes, push_data, push_state, set_hidden

__all__ = ["Step", "StepIncompleteError", "Steps"]

Check = Callable[[], str | None]


class StepIncompleteError(ValueError):
    """A run without a user cannot start: a step lacks something."""


@dataclass(frozen=True)
class Step:
    """One step of an app.

    Args:
        name: prefix of its widget ids; those of its content begin with it too, so that
            :meth:`Steps.save` finds them.
        title: in two or three words.
        explanation: one sentence on what the step is for.
        content: what the user sets.
        check: says what is missing, in a sentence; None when nothing is.
        summary: one line on what was chosen, shown once the step is done.
        on_done: called when the step is done, such as to fill the next one.
        button: on the button that goes on; None for the last step, which has none, and empty
            where the app itself goes on by :meth:`Steps.proceed`.
    """

    name: str
    title: str
    explanation: str
    content: Widget
    check: Check | None = None
    summary: Callable[[], str] | None = None
    on_done: Callable[[], None] | None = None
    button: str | None = "Continue"


class _StepCard:
    """The widgets of a step.

    Args:
        step: what it is.
        number: from 1.
    """

    def __init__(self, step: Step, *, number: int) -> None:
        self.step, self.number = step, number
        self.title = f"Step {number}: {step.title}"
        self.note = Notes(f"{step.name}_note")
        self.summary = ""
        self.go_on = Button(step.button or "Continue", widget_id=f"{step.name}_continue")
        self.change = Button(
            "Change", button_type="text", widget_id=f"{step.name}_change", show_loading=False
        )
        self.head = Flexbox([self.change], widget_id=f"{step.name}_head")
        parts = [step.content, self.go_on] if step.button else [step.content]
        self.body = Container(parts, gap=15, widget_id=f"{step.name}_body")
        self.card = Card(
            title=self.title,
            description=step.explanation,
            content=Container(
                [self.body, self.note, self.head], gap=10, widget_id=f"{step.name}_parts"
            ),
            widget_id=f"{step.name}_card",
        )

    def show(self, *, active: int, lock: str) -> None:
        """Show it as done, active or locked; what is sent is sent by the caller.

        Args:
            active: number of the active step.
            lock: why it is locked, if it is.
        """
        locked = self.number > active
        set_hidden(self.body, self.number < active)
        set_hidden(self.go_on, self.number != active)
        set_hidden(self.head, self.number >= active)
        state = StateJson().setdefault(self.card.widget_id, {})
        state["disabled"] = {"disabled": locked, "message": lock}
        state.setdefault("collapsed", False)

    def own_ids(self) -> set[str]:
        """Ids of the widgets that say where the user is, not what was set."""
        widgets = (self.note, self.go_on, self.change, self.head, self.body, self.card)
        return {widget.widget_id for widget in widgets}


class Steps:
    """The steps of an app, one card each; exactly one is active.

    What is done and what is locked is known here, not read from the page: a page that was open
    before, or a request to a step whose turn it is not, changes nothing.

    Widgets: ``{name}_card``, ``{name}_continue``, ``{name}_change`` and ``{name}_note`` of every
    step; ``{widget_id}`` (state ``active_step``, from 1).

    Args:
        steps: in their order; names are unique.
        busy: says why nothing can be changed now, such as while a run goes on; None if it can.
        widget_id: of the stepper.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        busy: Check | None = None,
        widget_id: str = "steps",
    ) -> None:
        names = [step.name for step in steps]
        if not steps or len(set(names)) != len(names):
            raise ValueError(f"Expected one or more steps with names of their own, got {names}.")
        self._cards = [_StepCard(step, number=n) for n, step in enumerate(steps, start=1)]
        self._busy = busy
        self._active = 1
        self._lock = threading.Lock()
        self._stepper = Stepper(
            widgets=[card.card for card in self._cards], widget_id=widget_id, active_step=1
        )
        for card in self._cards:
            card.go_on.click(self._handler(self.proceed, card.step.name))
            card.change.click(self._handler(self.change, card.step.name))
        self._show()

    @property
    def layout(self) -> Widget:
        """The widget to show."""
        return self._stepper

    @property
    def active(self) -> Step:
        """The step whose turn it is."""
        return self._cards[self._active - 1].step

    def proceed(self, name: str) -> str | None:
        """Check a step and open the next; what is missing, if anything."""
        card = self._card(name)
        if not self._lock.acquire(blocking=False):
            return "The step is being checked."
        try:
            if card.number != self._active or card.step.button is None:
                self._show()
                return None
            complaint = self._complaint(card)
            if complaint:
                card.note.set(complaint, "error")
                return complaint
            self._active += 1
            self._show()
            return None
        finally:
            self._lock.release()

    def change(self, name: str) -> str | None:
        """Go back to a step and lock what follows; why not, if it cannot be."""
        card = self._card(name)
        reason = self._busy() if self._busy is not None else None
        if reason:
            card.note.set_all([(card.summary, "success"), (reason, "warning")])
            return reason
        with self._lock:
            if card.number < self._active:
                for later in self._cards[card.number - 1 :]:
                    later.summary = ""
                    later.note.set("")
                self._active = card.number
            self._show()
        return None

    def tidy(self) -> None:
        """Leave only the summaries of what is done, such as when a run has ended."""
        for card in self._cards:
            if card.number < self._active:
                card.note.set(card.summary, "success")

    def complete(self) -> None:
        """Go through all checks up to the step without a button, for a run without a user.

        Raises:
            StepIncompleteError: when a step lacks something.
        """
        for card in self._cards:
            if not card.step.button:
                return
            if card.number < self._active:
                continue
            complaint = self.proceed(card.step.name)
            if complaint:
                raise StepIncompleteError(f"{card.title} is not complete: {complaint}")

    def autorun(self, start: Callable[[], object]) -> str | None:
        """Complete all steps and start; why it could not, which the page shows too."""
        try:
            self.complete()
        except StepIncompleteError as error:
            return str(error)
        start()
        return None

    def save(self) -> dict[str, Any]:
        """What was set and how far the user came, to be kept as JSON."""
        own = set().union(*(card.own_ids() for card in self._cards))
        prefixes = tuple(f"{card.step.name}_" for card in self._cards)
        widgets = {
            name: dict(state)
            for name, state in StateJson().items()
            if name.startswith(prefixes) and name not in own and isinstance(state, dict) and state
        }
        return {"active": self.active.name, "widgets": widgets}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Set what was saved and check it again, up to the step that was active.

        It stops at the first step that is not complete any more. Widgets and steps that there are
        no longer are passed over.
        """
        state = StateJson()
        for name, values in saved.get("widgets", {}).items():
            if name in state and isinstance(values, Mapping):
                state[name] = {**state[name], **values}
        push_state()
        for card in self._cards:
            if card.step.name == saved.get("active") or self.proceed(card.step.name):
                return

    def _complaint(self, card: _StepCard) -> str | None:
        step = card.step
        try:
            complaint = step.check() if step.check is not None else None
            if complaint:
                return complaint
            if step.on_done is not None:
                step.on_done()
            card.summary = step.summary() if step.summary is not None else "Done."
            card.note.set(card.summary, "success")
        except Exception as error:
            return explain(error, doing=card.title)
        return None

    def _show(self) -> None:
        waiting = self._cards[self._active - 1].title
        for card in self._cards:
            card.show(active=self._active, lock=f"Complete “{waiting}” first.")
        StateJson()[self._stepper.widget_id]["active_step"] = self._active
        push_data()
        push_state()

    def _card(self, name: str) -> _StepCard:
        for card in self._cards:
            if card.step.name == name:
                return card
        raise KeyError(f"No step {name!r}; there are {[c.step.name for c in self._cards]}.")

    @staticmethod
    def _handler(method: Callable[[str], str | None], name: str) -> Callable[[], None]:
        def handle() -> None:
            method(name)

        return handle
