"""Charts of a training: events in, pictures out."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from supervisely.app.widgets import Container, Field, Widget

from mouse_ar.sly.ui.links import LogTail
from mouse_ar.sly.ui.progress_panel import time_text
from mouse_ar.sly.ui.tables import LineChart
from mouse_ar.sly.ui.widgets import Notes
from mouse_ar.training.curves import CHARTS, SHARES, TrainingCurves

__all__ = ["TrainingCharts"]

_EVERY_SECONDS = 1.0


class TrainingCharts:
    """Shows what the events of a run say, once a second at most, however many there are.

    Widgets: ``{prefix}_now`` (notes: epoch, throughput, time left, best score),
    ``{prefix}_chart_*`` (one per :data:`~mouse_ar.training.curves.CHARTS`) and ``{prefix}_log``.

    Args:
        prefix: of the widget ids.
    """

    def __init__(self, prefix: str) -> None:
        self._curves = TrainingCurves()
        self._lock = threading.Lock()
        self._shown = -1.0
        self._now = Notes(f"{prefix}_now")
        self._charts = {
            name: LineChart(
                f"{prefix}_chart_{name}",
                title=title,
                x_title="Epoch",
                y_title="",
                height_px=240,
                digits=6 if name == "lr" else 2,
                y_range=(0.0, 1.0) if name in SHARES else None,
            )
            for name, title in CHARTS.items()
        }
        self._log = LogTail(f"{prefix}_log")
        pairs = [
            Container(
                [self._charts[a], self._charts[b]], direction="horizontal", fractions=[1, 1],
                gap=12, widgets_style="display: block; min-width: 0",
                widget_id=f"{prefix}_charts_{a}",
            )
            for a, b in (
                ("loss", "lr"), ("frames", "bouts"), ("windows", "grad_norm"),
                ("throughput", "data_wait"),
            )
        ]  # fmt: skip
        self.layout: Widget = Container(
            [self._now, pairs[0], self._charts["score"], *pairs[1:], self._charts["memory"],
             Field(self._log, title="Log", widget_id=f"{prefix}_log_field")],
            gap=12, widget_id=f"{prefix}_training",
        )  # fmt: skip
        self._wake = threading.Event()
        self._ticker: threading.Thread | None = None

    def show(self, events: Iterable[dict[str, Any]]) -> None:
        """Begin anew with the events of a run so far."""
        with self._lock:
            self._curves = TrainingCurves(events)
        self.publish()

    def add(self, event: dict[str, Any]) -> None:
        """Take note of one more event."""
        with self._lock:
            self._curves.add(event)
        self._wake.set()

    def start(self) -> None:
        """Publish what is added until :meth:`stop`."""
        closing = self._closing = threading.Event()

        def tick() -> None:
            while not closing.wait(_EVERY_SECONDS):
                if self._wake.is_set():
                    self._wake.clear()
                    self.publish()

        self._ticker = threading.Thread(target=tick, name="training-charts", daemon=True)
        self._ticker.start()

    def stop(self) -> None:
        """Publish the last events and no more."""
        if self._ticker is not None:
            self._closing.set()
            self._ticker.join()
            self._ticker = None
        self.publish()

    def publish(self) -> None:
        """Bring everything to the open pages."""
        with self._lock:
            lines = {name: self._curves.lines(name) for name in self._charts}
            log, now = self._curves.log, self._status()
        for name, chart in self._charts.items():
            chart.show(lines[name])
        self._log.show(log)
        self._now.set(now)

    def _status(self) -> str:
        curves = self._curves
        epoch, epochs = curves.epoch
        parts = [f"Epoch {epoch} of {epochs}"] if epoch and epochs else []
        if curves.windows_per_second is not None:
            parts.append(f"{curves.windows_per_second:,.1f} windows/s")
        if curves.eta_seconds:
            parts.append(f"{time_text(curves.eta_seconds)} left")
        if curves.best is not None:
            parts.append(f"best validation score {curves.best[1]:.3f} (epoch {curves.best[0]:.0f})")
        return " · ".join(parts)
