"""What the events of a training say so far, as curves and lines to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["CHARTS", "SHARES", "TrainingCurves"]

Event = Mapping[str, Any]
Point = tuple[float, float]
# Chart -> what it shows, with unit.
CHARTS: Mapping[str, str] = {
    "loss": "Training loss",
    "lr": "Learning rate",
    "score": "Validation score (0–1)",
    "frames": "Frame F1 per action (0–1)",
    "bouts": "Bout F1 per action (0–1)",
    "windows": "Held-out windows: macro F1, average precision per class (0–1)",
    "grad_norm": "Gradient norm",
    "throughput": "Windows per second",
    "data_wait": "Share of time spent waiting for data (0–1)",
    "memory": "Memory of the device (MB)",
}
# Charts whose values lie within 0 and 1.
SHARES = frozenset({"score", "frames", "bouts", "windows", "data_wait"})
# Entry of a step -> its chart.
_STEP_CHARTS = {
    "loss": "loss",
    "lr": "lr",
    "grad_norm": "grad_norm",
    "windows_per_second": "throughput",
    "data_wait": "data_wait",
    "memory_mb": "memory",
}
# More points do not show on a chart and make the page slow.
_MOST_POINTS = 400
_MOST_LINES = 200


class TrainingCurves:
    """Takes the events of a run in their order; unknown kinds and missing entries are passed over.

    A run that goes on after its last full epoch repeats what came after that: the repetition
    counts.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._steps_per_epoch = 0
        self._epochs = 0
        self._latest: Event = {}
        self._points: list[tuple[str, str, int, Point]] = []  # chart, line, epoch, point
        self._log: list[tuple[int, str]] = []  # epoch, text
        for event in events:
            self.add(event)

    def add(self, event: Event) -> bool:
        """Take note of an event; whether anything that is shown has changed."""
        kind = str(event.get("event"))
        if kind == "resume":
            self._forget(event)
        elif kind == "start":
            self._epochs = int(event.get("epochs", 0))
            self._steps_per_epoch = int(event.get("steps_per_epoch", 0))
        elif kind == "step":
            self._latest = event
            self._add_step(event)
        elif kind == "validation":
            self._add_validation(event)
        elif kind == "validation_windows":
            self._add_windows(event)
        text = _text(event, epochs=self._epochs)
        if text:
            self._log.append((int(event.get("epoch", -1)), text))
        shown = {"resume", "start", "step", "validation", "validation_windows"}
        return kind in shown or text is not None

    def lines(self, chart: str) -> dict[str, list[Point]]:
        """The lines of a chart by name; x is the epoch, from 0 at the start."""
        found: dict[str, list[Point]] = {}
        for where, line, _, point in self._points:
            if where == chart:
                found.setdefault(line, []).append(point)
        return {line: _thinned(points) for line, points in found.items()}

    @property
    def log(self) -> list[str]:
        """One line for each event that a person wants to know of."""
        return [text for _, text in self._log[-_MOST_LINES:]]

    @property
    def best(self) -> Point | None:
        """Epoch (from 1) and score of the best validation so far."""
        points = self.lines("score").get("score", [])
        return max(points, key=lambda point: (point[1], point[0])) if points else None

    @property
    def windows_per_second(self) -> float | None:
        """Throughput, as last told."""
        value = self._latest.get("windows_per_second")
        return None if value is None else float(value)

    @property
    def eta_seconds(self) -> float | None:
        """Time until the last epoch ends, as last told."""
        value = self._latest.get("eta_seconds")
        return None if value is None else float(value)

    @property
    def epoch(self) -> tuple[int, int]:
        """The epoch that goes on, from 1, and how many there are; zeros before the first."""
        current = int(self._latest["epoch"]) + 1 if "epoch" in self._latest else 0
        return current, self._epochs

    def _add_step(self, event: Event) -> None:
        epoch = int(event["epoch"])
        x = round(event["step"] / self._steps_per_epoch, 3) if self._steps_per_epoch else epoch
        for name, chart in _STEP_CHARTS.items():
            if event.get(name) is not None:
                self._points.append((chart, chart, epoch, (x, float(event[name]))))

    def _add_validation(self, event: Event) -> None:
        epoch = int(event["epoch"])
        self._points.append(("score", "score", epoch, (epoch + 1.0, float(event["score"]))))
        for action, metrics in (event.get("metrics") or {}).items():
            if not isinstance(metrics, Mapping):
                continue
            for chart in ("frames", "bouts"):
                value = (metrics.get(chart) or {}).get("f1")
                if value is not None:
                    self._points.append((chart, action, epoch, (epoch + 1.0, float(value))))

    def _add_windows(self, event: Event) -> None:
        epoch, metrics = int(event["epoch"]), event.get("metrics") or {}
        values = {("loss", "loss of held-out windows"): metrics.get("loss")}
        values["windows", "macro F1"] = metrics.get("macro_f1")
        for name, value in (metrics.get("average_precision") or {}).items():
            values["windows", f"average precision: {name}"] = value
        for (chart, line), value in values.items():
            if value is not None:
                self._points.append((chart, line, epoch, (epoch + 1.0, float(value))))

    def _forget(self, resumed: Event) -> None:
        epoch = int(resumed["epoch"])
        steps = self._steps_per_epoch
        # Steps of the epoch that were trained before the state was saved stand.
        until = resumed["step"] / steps if steps and "step" in resumed else float(epoch)
        self._points = [entry for entry in self._points if entry[2] < epoch or entry[3][0] <= until]
        self._log = [entry for entry in self._log if entry[0] < epoch]


def _text(event: Event, *, epochs: int) -> str | None:
    kind = event.get("event")
    if kind == "start":
        clips = ", ".join(f"{name}: {count}" for name, count in event.get("clips", {}).items())
        return f"Training on clips: {clips}" if clips else "Training starts"
    if kind == "resume":
        return f"Continuing after epoch {event['epoch']}"
    if kind == "warning":
        return f"Warning: {event['text']}"
    if kind == "weights":
        return str(event.get("report", "")) or None
    if kind == "epoch":
        return f"Epoch {event['epoch'] + 1} of {epochs}: loss {event['loss']:.4f}"
    if kind == "validation":
        return f"Validation after epoch {event['epoch'] + 1}: score {event['score']:.3f}"
    if kind == "validation_windows":
        metrics = event.get("metrics") or {}
        told = [
            f"{n.replace('_', ' ')} {metrics[n]:.3f}" for n in ("loss", "macro_f1") if n in metrics
        ]
        return f"Held-out windows after epoch {event['epoch'] + 1}: {', '.join(told)}"
    if kind == "stopping":
        return "Stopping: the weights of now are validated and kept"
    if kind in {"end", "stopped"}:
        ended = "Training ended" if kind == "end" else "Training stopped"
        return f"{ended}; best epoch {event['best_epoch'] + 1}, score {event['score']:.3f}"
    return None


def _thinned(points: list[Point]) -> list[Point]:
    step = -(-len(points) // _MOST_POINTS)
    kept = points[::step] if step > 1 else list(points)
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept
