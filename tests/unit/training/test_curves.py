from __future__ import annotations

from mouse_ar.training.curves import TrainingCurves

START = {"event": "start", "epoch": 0, "epochs": 3, "steps_per_epoch": 10, "clips": {"idle": 4}}


def step(number: int, loss: float) -> dict[str, object]:
    return {
        "event": "step",
        "epoch": (number - 1) // 10,
        "step": number,
        "loss": loss,
        "lr": 0.1,
        "windows_per_second": 40.0,
        "eta_seconds": 12.0,
    }


def validation(epoch: int, score: float) -> dict[str, object]:
    f1 = {"frames": {"f1": 0.5}, "bouts": {"f1": None}}
    return {"event": "validation", "epoch": epoch, "score": score, "metrics": {"twitch": f1}}


def test_what_a_run_says() -> None:
    curves = TrainingCurves([START, step(10, 1.0), validation(0, 0.2), step(20, 0.5)])
    assert curves.lines("loss") == {"loss": [(1.0, 1.0), (2.0, 0.5)]}
    assert curves.lines("frames") == {"twitch": [(1.0, 0.5)]}
    assert curves.lines("bouts") == {}, "what is not defined is no point"
    assert (curves.epoch, curves.windows_per_second, curves.eta_seconds) == ((2, 3), 40.0, 12.0)
    assert curves.best == (1.0, 0.2)
    assert curves.log == ["Training on clips: idle: 4", "Validation after epoch 1: score 0.200"]


def test_what_a_continued_run_repeats_counts_once() -> None:
    curves = TrainingCurves([START, step(10, 1.0), validation(0, 0.2), step(20, 0.5)])
    curves.add(validation(1, 0.9))
    curves.add({"event": "resume", "epoch": 1})
    assert curves.lines("loss") == {"loss": [(1.0, 1.0)]}
    assert curves.best == (1.0, 0.2)
    curves.add(step(20, 0.4))
    assert curves.lines("loss") == {"loss": [(1.0, 1.0), (2.0, 0.4)]}


def test_events_of_later_versions_are_passed_over() -> None:
    curves = TrainingCurves()
    assert not curves.add({"event": "gradient_norm", "value": 3})
    assert curves.add({"event": "validation", "epoch": 0, "score": 0.4, "metrics": {"f1": 0.4}})
    assert curves.lines("frames") == {}
    assert curves.best == (1.0, 0.4)


def test_many_points_are_thinned_and_the_last_is_kept() -> None:
    curves = TrainingCurves([START | {"steps_per_epoch": 10_000}])
    for number in range(1, 3000):
        curves.add(step(number, 1 / number))
    points = curves.lines("loss")["loss"]
    assert len(points) < 500
    assert points[-1][1] == 1 / 2999
