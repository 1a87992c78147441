"""How far a long run is: a bar for each kind of work, with rate and remaining time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mouse_ar.sly.ui.widgets import TemplateWidget

__all__ = ["ProgressPanel", "Stage", "time_text"]

_UPDATE_SECONDS = 0.5
# A rate over less than this is noise.
_RATE_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """How a kind of work is shown.

    Args:
        title: what is going on: "Finding the mouse".
        unit: what is counted: "frames".
        per_unit: how many of what is reported make one of these: 1,000,000 bytes an MB.
    """

    title: str
    unit: str = ""
    per_unit: int = 1


@dataclass
class _Row:
    """One bar.

    Args:
        title: of the stage.
        unit: what is counted.
        what: the whole text of the last report.
        detail: the text without the stage's name: the video.
        done: how many.
        total: of how many; 0 where nobody knows.
        began: when this ``what`` began.
        began_at: how many were done then.
        latest: when it was reported last.
    """

    title: str
    unit: str
    what: str
    detail: str
    done: int
    total: int
    began: float
    began_at: int
    latest: float

    def to_json(self) -> dict[str, Any]:
        finished = self.total > 0 and self.done >= self.total
        share = self.done / self.total if self.total > 0 else 0.0
        return {
            "title": self.title,
            "detail": self.detail,
            "percent": min(100, max(0, int(100 * share))),
            "status": "success" if finished else "",
            "info": self._info(finished),
        }

    def _info(self, finished: bool) -> str:
        unit = f" {self.unit}" if self.unit else ""
        count = f"{self.done:,} of {self.total:,}{unit}" if self.total > 0 else f"{self.done:,}"
        taken = self.latest - self.began
        gained = self.done - self.began_at
        if taken < _RATE_SECONDS or gained <= 0:
            return count
        rate = gained / taken
        parts = [count, f"{rate:,.1f}{unit}/s" if unit else f"{rate:,.1f}/s"]
        if not finished and self.total > 0:
            parts.append(f"{time_text((self.total - self.done) / rate)} left")
        return " · ".join(parts)


def time_text(seconds: float) -> str:
    """A duration as a person says it: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class ProgressPanel(TemplateWidget):
    """Bars of a run. A report costs next to nothing: a thread shows the last one twice a second.

    The first word of a report names the stage, as the pipelines have it ("detecting a.mp4"), the
    rest says with what.

    Args:
        widget_id: fixed id; ``data.<id>.rows`` is a list of ``{title, detail, percent, status,
            info}``.
        stages: titles and units by first word; bars appear in this order, others after them.
    """

    TEMPLATE = """
<div v-if="$DATA.rows.length" class="mouse-progress"
     style="display: flex; flex-direction: column; gap: 12px">
  <div v-for="row in $DATA.rows" :key="row.title">
    <div style="display: flex; justify-content: space-between; gap: 12px; margin-bottom: 3px">
      <span><b>{{ row.title }}</b> <span style="color: #475669">{{ row.detail }}</span></span>
      <span style="color: #475669; white-space: nowrap">{{ row.info }}</span>
    </div>
    <el-progress :percentage="row.percent" :status="row.status" :show-text="false"></el-progress>
  </div>
</div>"""

    def __init__(self, widget_id: str, *, stages: Mapping[str, Stage] | None = None) -> None:
        self._stages = dict(stages or {})
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._changed = False
        self._closing = threading.Event()
        self._ticker: threading.Thread | None = None
        super().__init__(widget_id)

    def get_json_data(self) -> dict[str, Any]:
        """The bars."""
        with self._lock:
            keys = [key for key in self._stages if key in self._rows]
            keys += [key for key in self._rows if key not in self._stages]
            return {"rows": [self._rows[key].to_json() for key in keys]}

    def report(self, what: str, done: int, total: int) -> None:
        """Take note of progress; from any thread, as often as there is some."""
        key, _, detail = what.partition(" ")
        now = time.monotonic()
        stage = self._stages.get(key) or Stage(key.capitalize())
        # The last unit counts whole when all is done, also where it is a part.
        done = -(-done // stage.per_unit) if done >= total else done // stage.per_unit
        total = -(-total // stage.per_unit)
        with self._lock:
            row = self._rows.get(key)
            if row is None or row.what != what or done < row.began_at:
                row = _Row(stage.title, stage.unit, what, detail, 0, 0, now, done, now)
                self._rows[key] = row
            row.done, row.total, row.latest = done, total, now
            self._changed = True

    def start(self) -> None:
        """Begin with no bars, and show what is reported until :meth:`stop`."""
        with self._lock:
            self._rows = {}
        self.publish()
        self._closing = threading.Event()
        self._ticker = threading.Thread(
            target=self._tick, args=(self._closing,), name=self.widget_id, daemon=True
        )
        self._ticker.start()

    def stop(self) -> None:
        """Show the last reports and no more."""
        self._closing.set()
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None
        self.publish()

    def _tick(self, closing: threading.Event) -> None:
        while not closing.wait(_UPDATE_SECONDS):
            with self._lock:
                changed, self._changed = self._changed, False
            if changed:
                self.publish()
