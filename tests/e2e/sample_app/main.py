"""An app made of the common parts alone: what it "runs" only counts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from supervisely.app.widgets import Container, Input

from mouse_ar.sly.sessions import DetectorSession
from mouse_ar.sly.ui.background_run import BackgroundRun, RunControl, RunOutcome
from mouse_ar.sly.ui.detector_picker import DetectorPicker
from mouse_ar.sly.ui.detector_sources import DetectorSources
from mouse_ar.sly.ui.launch import app_context, build_app, static_dir
from mouse_ar.sly.ui.picked_detector import PickedDetector
from mouse_ar.sly.ui.progress_panel import Stage
from mouse_ar.sly.ui.steps import Step, Steps
from mouse_ar.sly.ui.tables import BarChart, RowsTable

NUM_FRAMES = 400

context = app_context()
static = static_dir()


def preview(picked: PickedDetector) -> Sequence[tuple[str, np.ndarray]]:
    if "broken" in picked.choice:
        raise ValueError("There is no checkpoint broken.pth on this computer.")
    pictures = []
    for number in range(3):
        image = np.full((180, 320, 3), 210, np.uint8)
        image[60:120, 80 + 40 * number : 160 + 40 * number] = 60
        image[58:60, 78 + 40 * number : 162 + 40 * number] = (255, 64, 64)
        image[120:122, 78 + 40 * number : 162 + 40 * number] = (255, 64, 64)
        pictures.append((f"cage_1.mp4, frame {100 * number}", image))
    return pictures


def sessions() -> Sequence[DetectorSession]:
    return [DetectorSession(4321, "Serve RT-DETRv2", 7, "mouse detector", ("mouse",))]


def work(control: RunControl) -> RunOutcome:
    todo = str(todo_input.get_value())
    for video in ("cage_1.mp4", "cage_2.mp4"):
        for frame in range(NUM_FRAMES + 1):
            control.progress(f"detecting {video}", frame, NUM_FRAMES)
            if frame == NUM_FRAMES // 2 and todo == "fail":
                raise ValueError("cage_1.mp4 cannot be read: its header is damaged.")
            time.sleep(0.05 if todo == "slow" else 0.004)
    for clip in range(20):
        control.progress("cutting cage_1.mp4", clip + 1, 20)
    table.show([["cage_1.mp4", 12, 31.5], ["cage_<2>.mp4", 3, None]])
    chart.show({
        "before": {"Self-Grooming": 900, "Head-Body_TWITCH": 120, "idle": 8000},
        "after": {"Self-Grooming": 900, "Head-Body_TWITCH": 120, "idle": 900},
    })  # fmt: skip
    warnings = ["cage_<2>.mp4: 2 tags lie past its last frame."] if todo == "warn" else []
    return RunOutcome("2 videos done, 15 clips written.", warnings)


picker = DetectorPicker(
    "detector",
    sources=DetectorSources(
        sessions=sessions,
        checkpoints=lambda: ["/mouse-action-recognition/detector/best.pth"],
    ),
    preview=preview,
    static_dir=static,
)
todo_input = Input(context.modal.text("todo", "") or "", widget_id="input_todo")
run = BackgroundRun(
    "run",
    work=work,
    stages={
        "detecting": Stage("Finding the mouse", "frames"),
        "cutting": Stage("Cutting clips", "clips"),
    },
    start_text="Prepare data",
    on_state=lambda state, _: None if state == "running" else steps.tidy(),
)
table = RowsTable("run_table", ["Video", "Clips", "Grooming (s)"])
chart = BarChart("run_chart", title="Frames of each class", y_title="Frames")
steps = Steps(
    [
        Step(
            "input",
            "Input",
            "What the run does; an app asks for a project here.",
            todo_input,
            check=lambda: None if todo_input.get_value() else "Enter what the run is to do.",
            summary=lambda: f"The run is to do this: {todo_input.get_value()}",
        ),
        Step(
            "detector",
            "Detector",
            "What finds the mouse in every frame, so that the model looks only at the animal.",
            picker.layout,
            check=picker.check,
            summary=picker.summary,
        ),
        Step(
            "run",
            "Run",
            "Finished videos are kept when it stops; a new start continues after them.",
            Container([run.layout, table.layout, chart], gap=15, widget_id="run_content"),
            button=None,
        ),
    ],
    busy=lambda: "A run goes on. Stop it before you change its settings." if run.running else None,
)
app = build_app(steps.layout, static=static)
run.stop_with(app)
if context.autorun:
    steps.autorun(run.start)
