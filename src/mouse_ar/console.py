"""How the command line shows progress, results and errors."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["ProgressView", "TrainView", "out"]

out = Console(soft_wrap=True, highlight=False)


class _LiveBar:
    """One live bar with an ETA, while its context is open."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=out,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Update the bar of ``what``; a new name takes the place of the last."""
        if what not in self._tasks:
            for task in self._tasks.values():
                self._bar.remove_task(task)
            self._tasks = {what: self._bar.add_task(what, total=total)}
            if not out.is_terminal and done == 0:
                out.print(what)
        self._bar.update(self._tasks[what], completed=done, total=total)


class ProgressView(_LiveBar):
    """Shows ``(what, done, total)`` callbacks."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far something is."""
        self.show(what, done, total)


class TrainView(_LiveBar):
    """Mirrors the event stream of a training run in the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._epochs = self._steps = 0

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "start":
            self._epochs, self._steps = event["epochs"], event["steps_per_epoch"]
            clips = ", ".join(f"{name}: {count}" for name, count in event["clips"].items())
            out.print(f"training on clips: {clips}")
        elif kind == "resume":
            out.print(f"continuing after epoch {event['epoch']}")
        elif kind == "warning":
            out.print(f"Warning: {event['text']}", markup=False)
        elif kind == "weights":
            out.print(event["report"])
        elif kind == "step":
            self.show("training", event["step"], self._epochs * self._steps)
        elif kind == "epoch":
            out.print(f"epoch {event['epoch'] + 1}/{self._epochs}: loss {event['loss']:.4f}")
        elif kind == "validation":
            out.print(f"epoch {event['epoch'] + 1}: validation score {event['score']:.3f}")
            if note := event["decoding"].get("note"):
                out.print(f"Note: {note}", markup=False)
