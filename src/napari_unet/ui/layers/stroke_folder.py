"""Where strokes are kept on disk, as napari's preferences say."""

from __future__ import annotations

from pathlib import Path

from napari_unet.io.unsaved import usual_folder
from napari_unet.ui.preferences import preferences

_INSIDE = "Unsaved strokes"  # of the chosen folder, which may hold people's own files


def folder_to_keep_in() -> Path | None:
    """Return where strokes are kept; None: nowhere, as people want it.

    Before napari 0.9, which has no preferences of plugins, they are kept in the usual folder.
    """
    chosen = preferences("strokes")
    if chosen is None:
        return usual_folder()
    if not chosen.kept:
        return None
    folder = chosen.folder.strip()
    return Path(folder).expanduser() / _INSIDE if folder else usual_folder()


def folders_to_look_in() -> list[Path]:
    """Return where strokes may have been kept: a preference may have changed since."""
    return list(dict.fromkeys([usual_folder(), *filter(None, [folder_to_keep_in()])]))
