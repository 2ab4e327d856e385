"""The house rules that a machine can check: light imports, one-way rooms, small files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from npe2 import PluginManifest
from qtpy import QtWidgets
from qtpy.QtWidgets import QWidget

_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT / "src" / "napari_unet"
_SOURCES = sorted(p for p in _PACKAGE.rglob("*.py") if p.name != "_version.py")  # generated
_GUI = {"PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui", "napari", "qtpy", "superqt", "vispy"}
_PICKLES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def _trees() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and the syntax tree of each source file."""
    for path in _SOURCES:
        yield path.relative_to(_PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))


def _run(code: str) -> str:
    """Return what the code prints in an interpreter of its own."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=_ROOT)
    return done.stdout


def _packages_loaded_by(*modules: str) -> set[str]:
    imports = "".join(f"import {module}\n" for module in modules)
    names = _run(f"{imports}import sys\nprint(*sys.modules)").split()
    return {name.partition(".")[0] for name in names}


def _modules_in(room: str) -> list[str]:
    """Return the dotted names of all modules in a room of the package."""
    files = (_PACKAGE / room).rglob("*.py")
    paths = [file.relative_to(_PACKAGE.parent).with_suffix("") for file in files]
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


def test_the_package_is_imported_in_under_50_ms() -> None:
    code = "from time import perf_counter as t; a = t(); import napari_unet; print(t() - a)"
    assert min(float(_run(code)) for _ in range(5)) < 0.050


def test_the_package_loads_neither_torch_nor_a_window() -> None:
    assert not _packages_loaded_by("napari_unet") & {"torch", *_GUI}


def test_rooms_below_the_window_load_no_window() -> None:
    modules = [module for room in ("engine", "io", "batch", "cli") for module in _modules_in(room)]
    assert not _packages_loaded_by(*modules) & _GUI


def test_rooms_depend_one_way() -> None:
    # In a process of its own, since it silences every logger that there is.
    code = "from importlinter.cli import lint_imports; print(lint_imports(no_cache=True))"
    assert _run(code).splitlines()[-1] == "0"


def test_what_the_manifest_promises_can_be_imported() -> None:
    manifest = PluginManifest.from_file(_PACKAGE / "napari.yaml")

    manifest.validate_imports()

    assert manifest.name == "napari-unet-paint"
    assert manifest.contributions.widgets


def test_only_the_engine_goes_further_into_its_rooms_than_their_faces() -> None:
    deep = re.compile(r"napari_unet\.engine\.(?!events|errors|counts)\w+\.\w+ import")
    going_in = {path for path in _SOURCES if deep.search(path.read_text("utf-8"))}
    assert going_in
    assert {path for path in going_in if _PACKAGE / "engine" not in path.parents} == set()


def test_napari_gets_no_work_that_holds_layers() -> None:
    # Its window keeps what it runs, with all arguments, for as long as it is open.
    giving = {path.name for path in _SOURCES if "napari.qt.threading" in path.read_text("utf-8")}
    assert giving == {"worker.py"}


def test_every_file_is_read_in_one_sitting() -> None:
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in _SOURCES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    """Return whether it does, for good: what ends by raising the error again lets none get lost."""
    if isinstance(handler.body[-1], ast.Raise) and handler.type is not None:
        return False
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"Exception", "BaseException"})


def test_only_expected_failures_are_caught() -> None:
    broad = [
        (name, node.lineno)
        for name, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    ]
    assert broad == []


def _unpickles(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name in _PICKLES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in _PICKLES
    if isinstance(node, ast.Call):
        allows = "allow_pickle=True" in {ast.unparse(keyword) for keyword in node.keywords}
        return allows or ast.unparse(node.func) in ("torch.load", "torch.hub.load")
    return False


def test_nothing_is_unpickled() -> None:
    found = [
        (name, ast.unparse(node))
        for name, tree in _trees()
        for node in ast.walk(tree)
        if _unpickles(node)
    ]
    assert found == []


def _undocumented(tree: ast.Module) -> list[str]:
    """Return the public functions and classes of a module that have no docstring."""
    documented = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    definitions = [n for n in tree.body if isinstance(n, documented) and n.name[0] != "_"]
    return [node.name for node in definitions if not ast.get_docstring(node)]


def test_everything_public_is_documented() -> None:
    assert [name for name, tree in _trees() if not ast.get_docstring(tree)] == []
    assert [(name, missing) for name, tree in _trees() if (missing := _undocumented(tree))] == []


_MOST_METHODS, _MOST_ATTRIBUTES = 15, 12


def _widget_classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield the classes of the window that are widgets, by way of other classes of ours as well."""
    classes = {
        node.name: (name, node)
        for name, tree in _trees()
        for node in tree.body
        if name.startswith("ui/") and isinstance(node, ast.ClassDef)
    }

    def is_widget(base: str) -> bool:
        if base in classes:
            return any(is_widget(ast.unparse(of)) for of in classes[base][1].bases)
        return base.startswith("Q") and hasattr(QtWidgets, base)

    yield from (found for kind, found in classes.items() if is_widget(kind))


def _methods(node: ast.ClassDef) -> list[str]:
    """Return what the class itself can do: neither special methods nor answers to Qt."""
    names = [part.name for part in node.body if isinstance(part, ast.FunctionDef)]
    return [name for name in names if not (name.startswith("__") or hasattr(QWidget, name))]


def _attributes(node: ast.ClassDef) -> set[str]:
    """Return the names that the class stores in `self`."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and ast.unparse(part.value) == "self"
    }


def test_widget_classes_are_small() -> None:
    sizes = {
        f"{name}: {node.name}": (len(_methods(node)), len(_attributes(node)))
        for name, node in _widget_classes()
    }
    assert len(sizes) > 20  # they were found
    assert {
        name: size
        for name, size in sizes.items()
        if size[0] > _MOST_METHODS or size[1] > _MOST_ATTRIBUTES
    } == {}


def _strangers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield where a private attribute is read or written that no class of this file defines."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        is_special = node.attr.startswith("__") and node.attr.endswith("__")
        if not is_special and ast.unparse(node.value) not in ("self", "cls"):
            yield node.lineno, ast.unparse(node)


# vispy's own windows call it, and it has no other name: without it, old strokes stay in memory.
_NO_OTHER_WAY = {("ui/canvas.py", "event._forget_last_event")}


def test_private_attributes_of_others_are_left_alone() -> None:
    found = {
        (name, stranger)
        for name, tree in _trees()
        if name.startswith("ui/")
        for _, stranger in _strangers(tree)
    }
    assert found == _NO_OTHER_WAY


_WRITES = {"write_text", "write_bytes", "imwrite", "copyfile", "save", "savefig"}
_GIVEN_A_TEMPORARY_PATH = {
    *("io/bioimageio_import.py", "io/bioimageio_package.py", "io/shared_models.py"),
    *("io/write_tiff.py", "io/write_zarr.py", "io/write_ctc.py", "io/durable.py"),
}
_ADDS_TO_FILES = {"io/record_log.py"}  # whose records are whole or absent one by one


def _is_writing(node: ast.Call) -> bool:
    """Return whether a call writes a file: by its name, or as `open` with such a mode."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    modes = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    is_open = any(isinstance(mode, str) and re.fullmatch(r"[wxa]b?\+?", mode) for mode in modes)
    of_path = isinstance(node.func, ast.Attribute)
    return (of_path and called in _WRITES) or (called == "open" and is_open)


def _written_outright(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield what is written outside of `with replacing(…)`."""
    safe = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        and any(ast.unparse(item.context_expr).startswith("replacing(") for item in node.items)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in safe and _is_writing(node):
            yield node.lineno, ast.unparse(node)


def test_every_file_is_written_under_another_name_first() -> None:
    exempt = _GIVEN_A_TEMPORARY_PATH | _ADDS_TO_FILES
    found = {name: list(_written_outright(tree)) for name, tree in _trees() if name not in exempt}
    expected = {
        "io/checkpoints.py": ["safetensors.torch.save"],  # into bytes
        "ui/measure/step.py": ["self._measuring.save"],  # by `io.tables`
    }
    for name, calls in expected.items():
        found[name] = [(n, call) for n, call in found[name] if call.partition("(")[0] not in calls]
    assert {name: calls for name, calls in found.items() if calls} == {}
    assert list(_written_outright(ast.parse("Path('a').write_text('b')")))
    assert list(_written_outright(ast.parse("open('a', 'wb')")))
