"""How the command line shows progress, results and errors."""

from __future__ import annotations

from datetime import timedelta
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

from mouse_ar.pipelines.meter import Meter

__all__ = ["InferView", "ProgressView", "TrainView", "out"]

out = Console(soft_wrap=True, highlight=False)


class _Shown:
    """Shows a progress bar while its block runs."""

    _bar: Progress

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


class _LiveBar(_Shown):
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

    def show(self, what: str, done: int, total: int) -> None:
        """Update the bar of ``what``; a new name takes the place of the last of its stage.

        The first word names the stage. Bars of other stages stay until they are full.
        """
        if what not in self._tasks:
            stage = what.split(" ", 1)[0]
            finished = {task.id for task in self._bar.tasks if task.finished}
            for name, task in list(self._tasks.items()):
                if name.split(" ", 1)[0] == stage or task in finished:
                    self._bar.remove_task(self._tasks.pop(name))
            self._tasks[what] = self._bar.add_task(what, total=total)
            if not out.is_terminal and done == 0:
                out.print(what)
        self._bar.update(self._tasks[what], completed=done, total=total)


class ProgressView(_LiveBar):
    """Shows ``(what, done, total)`` callbacks."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far something is."""
        self.show(what, done, total)


class InferView(_Shown):
    """All of a run over videos: how far, how fast, how long yet, and what its stages do.

    Args:
        meter: of the run.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>5.1f} %"),
            TextColumn("{task.fields[facts]}", style="dim"),
            console=out,
            transient=True,
        )
        self._all = self._bar.add_task("all videos", total=1.0, facts="")
        self._parts: dict[str, TaskID] = {}
        self._shown: dict[str, str] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far something is; the first word of ``what`` names the stage."""
        stage = what.split(" ", 1)[0]
        if stage == "annotating":
            self._bar.update(self._all, description=f"{done} of {total} videos done")
        else:
            if stage not in self._parts:
                self._parts[stage] = self._bar.add_task(what, total=total, facts="")
            if self._shown.get(stage) != what:
                self._shown[stage] = what
                if not out.is_terminal:
                    out.print(what, markup=False)
            self._bar.update(
                self._parts[stage], description=what, completed=done, total=max(total, 1)
            )
        self._bar.update(self._all, completed=self._meter.share_done, facts=self._facts())

    def _facts(self) -> str:
        left = self._meter.seconds_left
        eta = "" if left is None else f"{timedelta(seconds=round(left))} left, "
        return f"{eta}{self._meter.speed:.1f} x real time; {self._stages()}"

    def _stages(self) -> str:
        return ", ".join(f"{name} {share:.0%}" for name, share in self._meter.shares().items())

    def summary(self) -> str:
        """How fast the run was."""
        return f"{self._meter.speed:.1f} seconds of video per second ({self._stages()} of the time)"


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
        elif kind == "stopping":
            out.print("stopping: the state is saved; press Ctrl-C again to end at once")
        elif kind == "early_stop":
            out.print(f"no better for {event['validations']} validations: the run ends")
        elif kind == "warning":
            out.print(f"Warning: {event['text']}", markup=False)
        elif kind == "data":
            out.print(event["text"], markup=False)
        elif kind == "checking":
            self.show("checking the clips", event["done"], event["total"])
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
