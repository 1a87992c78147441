from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.sly.ui import opened_detector as module
from mouse_ar.sly.ui.background_run import RunStopped
from mouse_ar.sly.ui.launch import AppContext
from mouse_ar.sly.ui.opened_detector import opened_detector
from mouse_ar.sly.ui.picked_detector import PickedDetector


class Sessions:
    """Notes what was opened, and whether it was given up."""

    opened: list[Any]
    ended = False

    def __init__(self, api: object, **options: Any) -> None:
        self.options = options
        type(self).opened, type(self).ended = [], False

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        type(self).ended = True

    def __call__(self, choice: Any, **options: Any) -> BackgroundSubtraction:
        self.opened.append((choice.kind, choice.value, self.options, options))
        return BackgroundSubtraction()


@pytest.mark.parametrize("how", [RunStopped, ValueError, KeyboardInterrupt, None])
def test_what_was_started_is_stopped_however_it_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: type[BaseException] | None
) -> None:
    monkeypatch.setattr(module, "Sessions", Sessions)
    monkeypatch.setenv("AGENT_ID", "7")
    context = AppContext(None, 1, 2, 3, None, None)  # type: ignore[arg-type]
    picked = PickedDetector("deploy:/experiments/1/checkpoints/best.pth", "mouse", 0.5)

    def use() -> None:
        with opened_detector(
            picked,
            context=context,
            connection=None,  # type: ignore[arg-type]
            team_id=1,
            workspace_id=2,
            folder=tmp_path,
        ):
            assert not Sessions.ended
            if how is not None:
                raise how

    if how is None:
        use()
    else:
        with pytest.raises(how):
            use()
    assert Sessions.ended
    kind, value, options, given = Sessions.opened[0]
    assert (kind, value) == ("deploy", "/experiments/1/checkpoints/best.pth")
    assert options == {"workspace_id": 2, "agent_id": 7}
    assert given == {"class_name": "mouse", "confidence": 0.5}
