"""The help of each command says what to type."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Command

USAGES = {
    "train": "train [IMAGE] [LABELS] --model OUT.safetensors [OPTIONS]",
    "evaluate": "evaluate PREDICTION TRUTH [OPTIONS]",
    "measure": "measure LABELS [IMAGE] [OPTIONS]",
    "repeat": "repeat RESULT.json [OPTIONS]",
    "models rename": "models rename NAME NEW-NAME [OPTIONS]",
    "models show": "models show NAME|FILE [OPTIONS]",
    "doctor": "doctor [OPTIONS]",
}
COMMANDS = [
    *("demo", "train", "segment", "measure", "repeat", "evaluate", "doctor"),
    *(f"models {name}" for name in ("list", "show", "import", "export", "rename", "delete")),
]


def _help(command: Command, name: str) -> str:
    outcome = command(*name.split(), "--help")
    assert outcome.exit_code == 0
    return outcome.stdout


@pytest.mark.parametrize("name", USAGES)
def test_the_usage_is_what_one_types(command: Command, name: str) -> None:
    usage = re.sub(r"\s+", " ", _help(command, name).split("\n\n")[0])
    assert usage.endswith(USAGES[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_each_argument_and_value_has_a_name_and_an_explanation(command: Command, name: str) -> None:
    text = _help(command, name)
    assert not re.search(r"[{}]|<(int|float|str|path)", text)
    rows = re.findall(r"^  (?! )(\S.*)", text.partition("ptions:\n")[2], flags=re.MULTILINE)
    assert rows
    arguments = re.findall(r"^  ([A-Z|-]+)  +(.*)", text, flags=re.MULTILINE)
    assert all(explained and not explained.startswith("[") for _, explained in arguments)


def test_what_is_missing_has_its_name_from_the_usage(command: Command) -> None:
    outcome = command("evaluate", "image.tif")
    assert outcome.exit_code == 2
    assert "Missing argument 'TRUTH'" in outcome.stderr
