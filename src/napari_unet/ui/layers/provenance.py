"""What made a result, noted in its layers; strokes on them are noted as corrections by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Labels, Layer

from napari_unet.engine.errors import FileError
from napari_unet.io.provenance import FORMAT, Provenance, Source, from_text, to_text
from napari_unet.ui.layers.geometry import file_layout, full_resolution, layer_axes, spatial_shape
from napari_unet.ui.layers.paint_event import painted_planes

_NOTED = "napari-unet-paint provenance of"  # key: which layer it was noted in


def source_of(layers: Sequence[Layer]) -> Source:
    """Return what is known of an image or of painted labels; several are the channels of one."""
    first = layers[0]
    shape, axes = tuple(full_resolution(first).shape), layer_axes(first)
    if getattr(first, "rgb", False):
        axes += "S"
    elif len(layers) > 1:
        shape, axes = (len(layers), *shape), f"C{axes}"
    paths = {layer.source.path for layer in layers}
    path = paths.pop() if len(paths) == 1 else None
    return Source(
        name=" + ".join(layer.name for layer in layers),
        hash="",
        shape=tuple(int(n) for n in shape),
        axes=axes,
        dtype=str(full_resolution(first).dtype),
        spacing=dict(file_layout(first).spacing),
        path=None if path is None else str(Path(path).absolute()),
    )


def note_provenance(layer: Layer, provenance: Provenance | None) -> None:
    """Note in a layer what made it, in place of what was noted before; None: nothing is known."""
    layer.metadata.pop(FORMAT, None)
    if provenance is not None:
        layer.metadata[FORMAT] = json.loads(to_text(provenance, None))
        layer.metadata[_NOTED] = str(layer.unique_id)
        layer.events.data.connect(_on_data_replaced)
        if isinstance(layer, Labels):
            layer.events.paint.connect(_on_paint)


def is_noted(layer: Layer) -> bool:
    """Return whether it is noted what made the layer."""
    return FORMAT in layer.metadata and layer.metadata.get(_NOTED) == str(layer.unique_id)


def provenance_of(layer: Layer) -> Provenance | None:
    """Return what made the layer, None if it is not known.

    Nothing is known of a copy of a result: nobody has watched what was painted on it.
    """
    if not is_noted(layer):
        return None
    try:
        return from_text(json.dumps(layer.metadata[FORMAT], default=str), layer.name)
    except FileError:  # somebody else has written there
        return None


def _on_paint(event: Any) -> None:
    layer = event.source
    planes = painted_planes(event.value, spatial_shape(layer)[:-2])
    _note_corrected(layer, planes)


def _on_data_replaced(event: Any) -> None:
    _note_corrected(event.source, None)


def _note_corrected(layer: Layer, planes: frozenset[int] | None) -> None:
    """Note that planes, or (None) perhaps all, are not as they were made any more."""
    noted = layer.metadata.get(FORMAT)
    if not isinstance(noted, dict):
        return
    changed = noted.get("planes", []) if planes is None else planes
    noted["corrected"] = sorted({*noted.get("corrected", []), *changed})
