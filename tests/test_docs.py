"""The pages hold together: links lead somewhere, commands exist, examples run."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from napari_unet.cli.app import app

_ROOT = Path(__file__).parents[1]
_SOURCE = _ROOT / "src"
_PAGES = [*sorted(_ROOT.glob("*.md")), *sorted((_ROOT / "docs").rglob("*.md"))]
_EXAMPLES = [path for path in sorted(_SOURCE.rglob("*.py")) if ">>>" in path.read_text("utf-8")]


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


each_page = pytest.mark.parametrize("page", _PAGES, ids=_name)


def _tokens(page: Path) -> Iterator[Token]:
    """Yield the parts of a page, those inside its paragraphs included."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        yield token
        yield from token.children or ()


def _headings(page: Path) -> list[tuple[int, str]]:
    """Return depth and text of the page's headings."""
    tokens = list(_tokens(page))
    return [
        (int(token.tag[1:]), following.content)
        for token, following in pairwise(tokens)
        if token.type == "heading_open"
    ]


def _anchors(page: Path) -> set[str]:
    """Return what links within the page may name, spelled as code forges spell it."""
    texts = [re.sub(r"[^\w\- ]", "", text.lower()) for _, text in _headings(page)]
    return {text.replace(" ", "-") for text in texts}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for token in _tokens(page):
        target = token.attrGet("href") or token.attrGet("src")
        if not target or urlsplit(str(target)).scheme:
            continue
        path, _, anchor = unquote(str(target)).partition("#")
        other = page.parent / path if path else page
        if not other.exists() or (anchor and anchor not in _anchors(other)):
            broken.append(target)
    assert broken == []


_LINK = re.compile(r"\]\((\w+\.md)(?:#[\w-]+)?\)")
_FIGURE = re.compile(r"(?<![\w.×])\d[\d,]*(?:\.\d+)?(?![\w.×]*\d)")


def _figures(text: str) -> set[str]:
    """Return the numbers of a text, without commas; those below 100 only with a point."""
    found = {number.replace(",", "") for number in _FIGURE.findall(text)}
    return {number for number in found if "." in number or int(number) >= 100}


def test_figures_at_a_glance_stand_on_the_page_that_is_linked() -> None:
    text = (_ROOT / "docs" / "at_a_glance.md").read_text("utf-8")
    begun, missing = text.index("## How good"), []
    for link in _LINK.finditer(text):
        told, begun = _figures(text[begun : link.start()]), link.end()
        page = _figures((_ROOT / "docs" / link[1]).read_text("utf-8"))
        for figure in told:
            digits = len(figure.partition(".")[2])
            if not any(f"{float(known):.{digits}f}" == figure for known in page):
                missing.append(f"{figure} is not in {link[1]}")
    assert missing == []


@each_page
def test_headings_go_down_one_step_at_a_time(page: Path) -> None:
    depths = [depth for depth, _ in _headings(page)]
    assert depths[0] == 1
    assert depths.count(1) == 1
    assert all(lower <= upper + 1 for upper, lower in pairwise(depths))


def _shown_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after `napari-unet` of each command in the page's blocks of code."""
    for token in _tokens(page):
        if token.type == "fence":
            lines = token.content.replace("\\\n", " ").splitlines()
            commands = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
            yield from (words[1:] for words in commands if words and words[0] == "napari-unet")


@each_page
def test_shown_commands_and_options_exist(page: Path) -> None:
    for words in _shown_commands(page):
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= known


_PYTHON = re.compile(
    r"\bpython (?:-m ((?:benchmarks|docs|pretraining)(?:\.\w+)+)|([\w/]+\.py))([^`#\n]*)"
)
_BROUGHT = {"bioimageio": "bioimageio.core", "matplotlib": "matplotlib", "monai": "monai"}
"""Modules that neither the program nor its tests need → what installs them."""


def _shown_scripts(page: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the file that each Python command of a page runs, and the options it is given."""
    for module, file, words in _PYTHON.findall(page.read_text("utf-8")):
        path = _ROOT / (file or f"{module.replace('.', '/')}.py")
        yield path, re.findall(r"(?<!\S)--[\w-]+", words)


def _text_with_own_imports(path: Path) -> str:
    """Return a script and those of its neighbours that it imports."""
    text = path.read_text("utf-8")
    names = re.findall(rf"from {path.parent.name}\.(\w+) import", text)
    files = [path.parent / f"{name}.py" for name in names]
    return "\n".join([text, *(file.read_text("utf-8") for file in files if file.exists())])


@each_page
def test_shown_scripts_and_their_options_exist(page: Path) -> None:
    for path, options in _shown_scripts(page):
        text = path.read_text("utf-8")
        assert [o for o in options if f'"{o}"' not in text] == [], path


@each_page
def test_modules_of_a_package_are_not_run_as_files(page: Path) -> None:
    """They would not find their neighbours."""
    files = [_ROOT / file for _, file, _ in _PYTHON.findall(page.read_text("utf-8")) if file]
    assert [file for file in files if file.with_name("__init__.py").exists()] == []


@each_page
def test_what_a_shown_script_needs_is_installed_on_the_page(page: Path) -> None:
    lines = re.findall(r"pip install ([^\n`]*)", page.read_text("utf-8"))
    installed = set(shlex.split("\n".join(lines), comments=True))
    for path, _ in _shown_scripts(page):
        imported = re.findall(r"^ *(?:from|import) (\w+)", _text_with_own_imports(path), re.M)
        needed = {_BROUGHT[name] for name in imported if name in _BROUGHT}
        for line in re.findall(r"`pip install ([^`]+)`", path.read_text("utf-8")):
            needed |= set(shlex.split(line))
        assert needed <= installed, path


@pytest.mark.parametrize("path", _EXAMPLES, ids=_name)
def test_examples_in_docstrings_give_what_they_show(path: Path) -> None:
    name = ".".join(path.relative_to(_SOURCE).with_suffix("").parts).removesuffix(".__init__")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
