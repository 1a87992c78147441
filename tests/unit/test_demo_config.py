from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml

from mouse_ar.demo import DemoConfig
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.synthetic import SyntheticConfig
from mouse_ar.training.config import TrainConfig


def test_built_in_settings_are_those_of_the_file(repo: Path) -> None:
    written = yaml.safe_load((repo / "configs" / "demo.yaml").read_text())
    assert asdict(DemoConfig()) == written


def test_demo_settings_are_valid() -> None:
    config = DemoConfig()
    SyntheticConfig(**config.synthetic)
    PreprocessConfig.from_dict(config.preprocess)
    TrainConfig.from_dict(config.train)


@pytest.mark.parametrize(
    ("name", "config"), [("preprocess", PreprocessConfig()), ("train", TrainConfig())]
)
def test_example_files_show_every_setting_with_its_default(
    repo: Path, name: str, config: object
) -> None:
    lines = (repo / "configs" / f"{name}.yaml").read_text().splitlines()
    shown = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[1:]))
    assert set(shown) == {f.name for f in fields(config)} - {"shuffle_labels"}  # type: ignore[arg-type]
    assert shown == {key: getattr(config, key) for key in shown}


def test_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown demo section\(s\) \['trian'\]"):
        DemoConfig.from_dict({"trian": {}})
