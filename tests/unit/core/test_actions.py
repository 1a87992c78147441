from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mouse_ar.core.actions import Action, ActionKind, ActionSet

TWITCH = Action("Head/Body TWITCH", "Head-Body_TWITCH", ActionKind.POINT, aliases=("HTR",))
GROOM = Action("Self-Grooming", "Self-Grooming", ActionKind.STATE, aliases=("grooming",))
ACTIONS = ActionSet((GROOM, TWITCH))


def test_class_order_is_background_then_actions() -> None:
    assert ACTIONS.classes == ("idle", "Self-Grooming", "Head/Body TWITCH")
    assert ACTIONS.names == ("Self-Grooming", "Head/Body TWITCH")
    assert ACTIONS.datasets == ("Self-Grooming", "Head-Body_TWITCH", "idle")
    assert ACTIONS.dataset_of("Head/Body TWITCH") == "Head-Body_TWITCH"
    assert ACTIONS.dataset_of("idle") == "idle"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("self-grooming", "Self-Grooming"),
        ("Self Grooming", "Self-Grooming"),
        ("GROOMING", "Self-Grooming"),
        ("head_body_twitch", "Head/Body TWITCH"),
        ("Head-Body_TWITCH", "Head/Body TWITCH"),
        ("htr", "Head/Body TWITCH"),
        ("Idle", "idle"),
        ("Rearing", None),
        ("", None),
        ("--", None),
    ],
)
def test_resolving_tolerates_spellings(spelling: str, name: str | None) -> None:
    assert ACTIONS.resolve(spelling) == name


def test_unknown_action_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="Unknown action 'Rearing'; allowed: Self-Grooming, Head"):
        ACTIONS["Rearing"]
    assert ACTIONS["Self-Grooming"] is GROOM


def test_ambiguous_names_are_refused() -> None:
    clash = Action("Scratching", "Scratching", ActionKind.STATE, aliases=("GROOM ing",))
    with pytest.raises(ValueError, match="'GROOM ing' is used by both"):
        ActionSet((GROOM, clash))
    with pytest.raises(ValueError, match="'Idle' is used by both"):
        ActionSet((Action("Idle", "Idle", ActionKind.STATE),))
    with pytest.raises(ValueError, match="at least one action"):
        ActionSet(())


def test_bad_actions_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Action(" ", "x", ActionKind.STATE)
    with pytest.raises(ValueError, match="without '/', got 'a/b'"):
        Action("x", "a/b", ActionKind.STATE)
    with pytest.raises(ValueError, match="'event' is not a valid ActionKind"):
        Action("x", "x", "event")  # type: ignore[arg-type]


def test_plain_values_round_trip() -> None:
    data = ACTIONS.to_dict()
    assert ActionSet.from_dict(yaml.safe_load(yaml.safe_dump(data))) == ACTIONS
    assert data["actions"][1]["kind"] == "point"


def test_entries_have_defaults() -> None:
    actions = ActionSet.from_dict({"actions": [{"name": "Ear/Tail", "kind": "point"}]})
    assert actions["Ear/Tail"].dataset == "Ear-Tail"
    assert actions.background == "idle"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"actions": []}, "at least one action"),
        ({}, "at least one action"),
        ({"actions": ["grooming"]}, "'grooming': needs 'name' and 'kind'"),
        ({"actions": [{"name": "x"}]}, "needs 'name' and 'kind'"),
        ({"actions": [{"name": "x", "kind": "state", "knd": 1}]}, "allowed keys are"),
        ({"actions": [{"name": "x", "kind": "stat"}]}, "'stat' is not a valid ActionKind"),
        (
            {"actions": [{"name": "x", "kind": "state", "aliases": "abc"}]},
            r"aliases must be a list, got the text 'abc': write \[abc\]",
        ),
        (
            {"actions": [{"name": "x", "kind": "state", "color": [1, 2]}]},
            r"color must be \[r, g, b\]",
        ),
        ({"action": [], "backgrund": "idle"}, r"unknown keys \['action', 'backgrund'\]"),
    ],
)
def test_wrong_entries_say_what_is_wrong(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ActionSet.from_dict(data)


def test_shipped_actions_are_valid(repo: Path) -> None:
    data = yaml.safe_load((repo / "configs" / "actions.yaml").read_text(encoding="utf-8"))
    actions = ActionSet.from_dict(data)
    assert actions.classes == ("idle", "Self-Grooming", "Head/Body TWITCH")
    assert [a.kind for a in actions.actions] == [ActionKind.STATE, ActionKind.POINT]
