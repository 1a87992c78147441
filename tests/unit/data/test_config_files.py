from __future__ import annotations

from pathlib import Path

import pytest

from mouse_ar.data.config_files import DEFAULT_ACTIONS, load_actions


def test_built_in_actions_equal_the_shipped_file(repo: Path) -> None:
    assert load_actions(repo / "configs" / "actions.yaml") == load_actions() == DEFAULT_ACTIONS


def test_new_action_is_an_edit_of_the_file(repo: Path, tmp_path: Path) -> None:
    text = (repo / "configs" / "actions.yaml").read_text()
    path = tmp_path / "actions.yaml"
    path.write_text(text + "  - name: Scratching\n    kind: state\n")

    assert load_actions(path).names == (*DEFAULT_ACTIONS.names, "Scratching")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("- a", "expected a mapping"),
        ("actions: [1]", "actions.yaml"),
        ("actions: [{name: a}]", "needs 'name' and 'kind'"),
        ("actions: [", "actions.yaml"),
    ],
)
def test_bad_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "actions.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match=message) as caught:
        load_actions(path)
    assert str(path) in str(caught.value)
