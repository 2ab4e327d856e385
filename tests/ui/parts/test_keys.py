"""Keys for painting are free in napari, and bound only as long as they are wanted."""

from __future__ import annotations

from functools import partial

import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.shortcuts import default_shortcuts

from napari_unet.ui.parts import keys
from napari_unet.ui.parts.keys import ViewerKeys

PAINTING = (keys.BACKGROUND, keys.NEXT_OBJECT, keys.NEXT_CLASS, keys.ERASE)
ALL = (*PAINTING, keys.TAKE_OBJECT, keys.SPLIT, keys.MERGE, keys.DELETE)


def _press(viewer: ViewerModel, key: str) -> None:
    (action,) = (action for bound, action in viewer.keymap.items() if str(bound) == key)
    action(viewer)


@pytest.mark.parametrize("key", ALL)
def test_no_key_of_the_viewer_or_of_labels_is_taken(key: str) -> None:
    rooms = ("labels", "label", "polygon", "brush", "napari:toggle", "hold", "select_layer", "dims")
    taken = {
        str(shortcut): name
        for name, shortcuts in default_shortcuts.items()
        for shortcut in shortcuts
        if any(room in name for room in rooms)
    }
    assert "E" in taken  # napari's own eraser: the names above are those that it uses
    assert "V" in taken
    assert key not in taken
    assert key not in {str(bound) for bound in Labels.class_keymap}
    assert key not in {str(bound) for bound in ViewerModel.class_keymap}


def test_a_key_does_what_it_says_until_it_is_released(viewer: ViewerModel) -> None:
    done: list[str] = []
    bound = ViewerKeys(viewer, {key: partial(done.append, key) for key in ALL})
    for key in ALL:
        _press(viewer, key)
    assert done == list(ALL)
    bound.release()
    assert not viewer.keymap
    assert not any(key in bound for key in ALL)


def test_a_key_that_someone_else_has_bound_stays_theirs(viewer: ViewerModel) -> None:
    done: list[str] = []
    viewer.bind_key("N", lambda _viewer: done.append("theirs"))
    bound = ViewerKeys(viewer, {"N": lambda: done.append("ours")})
    assert "N" not in bound
    _press(viewer, "N")
    bound.release()
    _press(viewer, "N")
    assert done == ["theirs", "theirs"]


def test_a_key_that_was_bound_again_meanwhile_is_left_alone(viewer: ViewerModel) -> None:
    done: list[str] = []
    bound = ViewerKeys(viewer, {"N": lambda: done.append("ours")})
    viewer.bind_key("N", lambda _viewer: done.append("theirs"), overwrite=True)
    bound.release()
    _press(viewer, "N")
    assert done == ["theirs"]


def test_each_viewer_has_keys_of_its_own(viewer: ViewerModel) -> None:
    done: list[str] = []
    other = ViewerModel()
    first = ViewerKeys(viewer, {"N": lambda: done.append("first")})
    second = ViewerKeys(other, {"N": lambda: done.append("second")})
    first.release()
    _press(other, "N")
    assert done == ["second"]
    second.release()
