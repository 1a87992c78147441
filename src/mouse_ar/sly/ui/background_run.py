"""A long run beside the page: started and stopped by buttons, with its progress and outcome."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from supervisely.app.widgets import Button, Container, Flexbox, Widget

from mouse_ar.sly.ui.messages import explain
from mouse_ar.sly.ui.progress_panel import ProgressPanel, Stage
from mouse_ar.sly.ui.widgets import Notes, Severity, push_data, set_disabled, set_hidden

__all__ = ["BackgroundRun", "RunControl", "RunOutcome", "RunState", "RunStopped"]

_LOG = logging.getLogger(__name__)
_SHUTDOWN_SECONDS = 30.0

RunState = Literal["idle", "running", "stopping", "done", "warned", "failed", "stopped"]


class RunStopped(BaseException):
    """The user wants the run to stop.

    No ``Exception``: the pipelines list a video that fails and go on with the next, and that is
    not what the user asked for.
    """


@dataclass(frozen=True)
class RunOutcome:
    """What a run that came to its end has to say.

    Args:
        summary: one sentence.
        warnings: what the user should look at, one line per video.
    """

    summary: str
    warnings: Sequence[str] = ()


class RunControl:
    """What a run is given.

    Args:
        stop: set when the run is to stop.
        panel: where progress is shown.
    """

    def __init__(self, *, stop: threading.Event, panel: ProgressPanel) -> None:
        self.stop = stop
        self._panel = panel

    def progress(self, what: str, done: int, total: int) -> None:
        """Report progress; the first word of ``what`` names the stage.

        Raises:
            RunStopped: when the run is to stop.
        """
        self.check()
        self.report(what, done, total)

    def report(self, what: str, done: int, total: int) -> None:
        """Like :meth:`progress`, in a part that comes to its end also when the run is to stop."""
        self._panel.report(what, done, total)

    def check(self) -> None:
        """Where the run can stop.

        Raises:
            RunStopped: when it is to.
        """
        if self.stop.is_set():
            raise RunStopped


_Ending = tuple[RunState, str, Sequence[str]]
_FAILED: _Ending = ("failed", "The run failed. The log of this app says why.", ())
_SEVERITIES: dict[RunState, Severity] = {"done": "success", "warned": "warning", "failed": "error"}

Work = Callable[[RunControl], RunOutcome]
OnState = Callable[[RunState, str], None]


class BackgroundRun:
    """Runs a function on a thread of its own and mirrors it to the page.

    Widgets: ``{prefix}_start`` and ``{prefix}_stop`` (buttons), ``{prefix}_progress``,
    ``{prefix}_outcome`` and ``{prefix}_warnings`` (notes).

    Args:
        prefix: of the widget ids.
        work: the run. It calls ``control.progress`` or ``control.check`` often, or looks at
            ``control.stop``, and returns a :class:`RunOutcome`. What it raises is shown.
        stages: how progress is shown; see :class:`~.progress_panel.ProgressPanel`.
        start_text: on the button.
        check: says what is missing before the start, if anything.
        on_state: called with the new state and its message, for the status of the task; also
            before the start ("running"). It runs on the run's thread.
    """

    def __init__(
        self,
        prefix: str,
        *,
        work: Work,
        stages: Mapping[str, Stage] | None = None,
        start_text: str = "Start",
        check: Callable[[], str | None] | None = None,
        on_state: OnState | None = None,
    ) -> None:
        self._work, self._check, self._on_state = work, check, on_state
        self._lock = threading.Lock()
        self._state: RunState = "idle"
        self._stop = threading.Event()
        self._closing = False
        self._ended = threading.Event()
        self._ended.set()
        self._more_buttons: list[Button] = []
        self.start_button = Button(start_text, widget_id=f"{prefix}_start", show_loading=False)
        self.stop_button = Button(
            "Stop", button_type="danger", plain=True, widget_id=f"{prefix}_stop", show_loading=False
        )
        self.panel = ProgressPanel(f"{prefix}_progress", stages=stages)
        self.outcome = Notes(f"{prefix}_outcome")
        self.warnings = Notes(f"{prefix}_warnings")
        buttons = Flexbox([self.start_button, self.stop_button], widget_id=f"{prefix}_buttons")
        self.layout: Widget = Container(
            [buttons, self.panel, self.outcome, self.warnings], gap=15, widget_id=f"{prefix}_run"
        )
        self.start_button.click(self._clicked_start)
        self.stop_button.click(self.stop)
        self._show_buttons()

    @property
    def state(self) -> RunState:
        """Where the run is."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether it goes on, also while it is stopping."""
        return not self._ended.is_set()

    @property
    def closing(self) -> bool:
        """Whether the app is ending, so that nothing long may be begun."""
        return self._closing

    def starts_with(
        self, button: Button, *, work: Work, check: Callable[[], str | None] | None = None
    ) -> None:
        """Have another button start other work: with the same progress, outcome and end.

        Args:
            button: cannot be pressed while either work goes on.
            work: as that of the run.
            check: says what is missing before the start, if anything.
        """
        self._more_buttons.append(button)
        button.click(lambda: self._clicked(work, check))

    def start(self, work: Work | None = None) -> bool:
        """Start the run, unless it goes on already; whether it did.

        Args:
            work: what to do instead of the run's own work.
        """
        with self._lock:
            if self.running:
                return False
            self._ended.clear()
            self._stop = threading.Event()
            self._state = "running"
        thread = threading.Thread(
            target=self._run, args=(work or self._work, self._stop), daemon=True
        )
        thread.start()
        return True

    def stop(self) -> None:
        """Ask the run to stop; it does so at the next place where it can."""
        with self._lock:
            if self._state != "running":
                return
            self._stop.set()
            self._state = "stopping"
        self.outcome.set("Stopping: the work in hand comes to a safe place first.", "info")
        self._show_buttons()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the run; whether it came."""
        return self._ended.wait(seconds)

    def stop_with(self, app: Any) -> None:
        """Stop the run when the app is closed, or its process is asked to end."""
        app.call_before_shutdown(self._before_shutdown)
        # Before the SDK's own handler, which sends the last state to the instance.
        app.get_server().router.on_shutdown.insert(0, self._before_shutdown)

    def _before_shutdown(self) -> None:
        self._closing = True
        if not self.running:
            return
        self.stop()
        if not self.wait(_SHUTDOWN_SECONDS):
            _LOG.warning("The run did not stop within %.0f s; it is cut off.", _SHUTDOWN_SECONDS)
        else:
            _LOG.warning("The run was stopped, as the app ends.")

    def _clicked_start(self) -> None:
        self._clicked(self._work, self._check)

    def _clicked(self, work: Work, check: Callable[[], str | None] | None) -> None:
        if self.running:
            return
        try:
            complaint = check() if check is not None else None
        except Exception as error:
            complaint = explain(error, doing="Checking the settings")
        if complaint:
            self.outcome.set(complaint, "error")
        else:
            self.start(work)

    def _run(self, work: Work, stop: threading.Event) -> None:
        end, message, warnings = _FAILED
        try:
            self.outcome.set("")
            self.warnings.set("")
            self._show_buttons()
            self.panel.start()
            self._tell("running", "")
            end, message, warnings = self._ending(work, stop)
            self.panel.stop()
        except BaseException as error:  # a defect of ours: the page must not show "running"
            message = explain(error, doing="The run")
        finally:
            self._finish(end, message, warnings)

    def _ending(self, work: Work, stop: threading.Event) -> _Ending:
        try:
            outcome = work(RunControl(stop=stop, panel=self.panel))
        except (RunStopped, KeyboardInterrupt):
            return (
                "stopped",
                "Stopped. What was finished is kept; a new start continues after it.",
                (),
            )
        except BaseException as error:
            return "failed", explain(error, doing="The run"), ()
        return "warned" if outcome.warnings else "done", outcome.summary, outcome.warnings

    def _finish(self, end: RunState, message: str, warnings: Sequence[str]) -> None:
        self._tell(end, message)
        with self._lock:
            self._state = end
        self.outcome.set(message, _SEVERITIES.get(end, "info"))
        self.warnings.set_list(list(warnings))
        self._ended.set()
        self._show_buttons()

    def _tell(self, state: RunState, message: str) -> None:
        try:
            if self._on_state is not None:
                self._on_state(state, message)
        except Exception:  # the instance's list of tasks is not worth a run
            _LOG.warning("The task's status could not be set to %r", state, exc_info=True)

    def _show_buttons(self) -> None:
        for button in (self.start_button, *self._more_buttons):
            set_disabled(button, self.running)
        set_disabled(self.stop_button, self._state == "stopping")
        set_hidden(self.stop_button, not self.running)
        push_data()
