"""The ground that the other tests stand on holds."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def test_a_real_viewer_draws_an_image_on_the_screen(
    make_napari_viewer_proxy: Callable[..., Any],
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    image = np.zeros((64, 64), np.uint8)
    image[:, 32:] = 255

    viewer.add_image(image)

    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3]  # (Y, X, RGB)
    middle = picture[picture.shape[0] // 2]
    quarter = picture.shape[1] // 4
    centre = middle[quarter:-quarter]
    assert centre[0].max() == 0
    assert centre[-1].min() == 255


_CHECKS = ("raises", "warns", "waitUntil", "waitSignal", "waitSignals", "fail")


def _checks(function: ast.FunctionDef, helpers: set[str]) -> bool:
    """Return whether a function asserts something, itself or by a helper."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in _CHECKS or called in helpers or called.startswith("assert_"):
                return True
    return False


def test_every_test_asserts_something() -> None:
    functions = [
        (path.name, node)
        for path in Path(__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    helpers: set[str] = set()
    for _ in range(3):  # helpers of helpers
        helpers |= {node.name for _, node in functions if _checks(node, helpers)}
    tests = [(file, node) for file, node in functions if node.name.startswith("test_")]
    assert [(file, node.name) for file, node in tests if not _checks(node, helpers)] == []
    assert len(tests) > 1000
