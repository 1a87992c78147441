from __future__ import annotations

from collections import Counter

from mouse_ar.pipelines.redecode import DecodedAgain
from mouse_ar.report.runs import redecode_summary
from tiny import ACTIONS, GROOMING, TWITCH


def test_bouts_now_and_before_in_one_sentence() -> None:
    again = DecodedAgain(
        before=Counter({GROOMING: 3, TWITCH: 2}),
        after=Counter({TWITCH: 2}),
        decoded=["mice/a.mp4", "mice/b.mp4"],
    )
    assert redecode_summary(again, actions=ACTIONS) == (
        f"2 videos decoded again: 0 {GROOMING} (3 before), 2 {TWITCH} (as before)."
    )
