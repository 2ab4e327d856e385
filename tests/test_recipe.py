"""The recipe for conda-forge asks for what the package asks for, and can be read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[1]
_RECIPE = _ROOT / "recipe" / "recipe.yaml"
_OTHER_NAMES = {"torch": "pytorch"}  # on conda-forge

PROJECT: Any = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))
RECIPE: Any = yaml.safe_load(_RECIPE.read_text("utf-8"))


def _as_conda(requirement: str) -> str:
    name, limit = re.fullmatch(r"([\w-]+)(>=[\d.]+)", requirement).groups()  # type: ignore[union-attr]
    return f"{_OTHER_NAMES.get(name, name)} {limit}"


def test_it_asks_for_what_the_package_asks_for() -> None:
    run = RECIPE["requirements"]["run"][1:]
    host = RECIPE["requirements"]["host"][2:]

    assert run == [_as_conda(one) for one in PROJECT["project"]["dependencies"]]
    assert host == [_as_conda(one) for one in PROJECT["build-system"]["requires"]]


def test_it_has_the_commands_and_the_words_of_the_package() -> None:
    scripts = PROJECT["project"]["scripts"].items()

    assert RECIPE["build"]["python"]["entry_points"] == [f"{n} = {where}" for n, where in scripts]
    assert RECIPE["about"]["summary"] == PROJECT["project"]["description"]
    assert RECIPE["about"]["license"] == PROJECT["project"]["license"]


def test_rattler_build_can_read_it() -> None:
    rattler_build = pytest.importorskip("rattler_build", reason="pip install py-rattler-build")
    recipe = rattler_build.Stage0Recipe.from_yaml(_RECIPE.read_text("utf-8"))

    (rendered,) = recipe.render(rattler_build.VariantConfig({"python_min": ["3.11"]}))

    assert "package='napari-unet-paint'" in repr(rendered)
