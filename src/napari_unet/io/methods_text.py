"""How a segmentation was made, as the methods section of a paper says it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from napari_unet.config import Along, ObjectsConfig, OutputKind, Task
from napari_unet.engine.counts import count
from napari_unet.io.hashes import short_hash
from napari_unet.io.provenance import Provenance, UsedModel

CITATION = (
    "Ronneberger O, Fischer P, Brox T (2015). U-Net: Convolutional Networks for Biomedical Image "
    "Segmentation. In: Medical Image Computing and Computer-Assisted Intervention (MICCAI 2015), "
    "LNCS 9351, 234–241. https://doi.org/10.1007/978-3-319-24574-4_28"
)

_DATE = re.compile(r" \(\d{4}-[^)]*\)")
_NAMES = {
    "torch": "PyTorch",
    "openvino": "OpenVINO",
    "numpy": "NumPy",
    "scipy": "SciPy",
    "scikit-image": "scikit-image",
}


def methods_text(provenance: Provenance) -> str:
    """Return a paragraph for a methods section, and below it the reference of the method."""
    return f"{' '.join(_sentences(provenance))}\n\n{CITATION}"


def _sentences(made: Provenance) -> Iterator[str]:
    yield f"{_what(made)} with a U-Net (Ronneberger et al., 2015) in {_software(made)}."
    yield _training(made.model)
    yield _prediction(made)
    if made.kind is OutputKind.LABELS and made.model.task is Task.OBJECTS:
        yield _objects(made.objects)
    if made.painted is not None:
        yield "Where labels had been painted by hand, these were kept in place of the prediction."
    if made.corrected:
        of_all = f"{len(made.corrected):,} of {count(_planes(made), 'plane')}"
        verb = "was" if len(made.corrected) == 1 else "were"
        yield f"The result was then reviewed, and {of_all} {verb} corrected by hand."
    yield f"Computation ran on {_device(made)}."


def _what(made: Provenance) -> str:
    if made.kind is OutputKind.PROBABILITIES:
        return "Class probabilities were predicted"
    is_objects = made.model.task is Task.OBJECTS and made.kind is OutputKind.LABELS
    return f"{'Objects' if is_objects else 'Regions'} were segmented"


def _software(made: Provenance) -> str:
    """Return "U-Net Paint (napari-unet-paint 0.1.0 with PyTorch 2.9 and NumPy 2.4)"."""
    used = [
        f"{name} {made.versions[package]}"
        for package, name in _NAMES.items()
        if package in made.versions and (package != "openvino" or made.backend == "OpenVINO")
    ]
    own = f"napari-unet-paint {made.versions.get('napari-unet-paint', 'of unknown version')}"
    return f"U-Net Paint ({own}{' with ' if used else ''}{_list(used)})"


def _training(model: UsedModel) -> str:
    """Return how the network came about."""
    made, network = model.training, model.network
    size = f"{count(network.levels, 'level')}, {network.base_channels} channels at full resolution"
    named = f"The network '{model.name}' ({size}; weights {short_hash(model.hash)})"
    if not made.steps:
        return f"{named} was not trained."
    if not made.labelled_pixels:  # as those are that come with the package
        return f"{named} was used as distributed, {made.start} ({count(made.steps, 'step')})."
    objects = f", with {count(made.whole_objects, 'whole object')}" if made.whole_objects else ""
    image = f" of '{made.image}'" if made.image else ""
    if made.image and made.further_images:
        image += f" and {count(made.further_images, 'further image')}"
    start = _DATE.sub("", made.start)
    origin = "from random weights" if "scratch" in start else f"from pretrained weights ({start})"
    kept = f"; the weights of step {made.best_step:,} were kept" if made.best_step else ""
    return (
        f"{named} was trained for {count(made.steps, 'step')} ({made.seconds:.0f} s) on "
        f"{count(made.labelled_pixels, 'labelled pixel')}{image}{objects}, starting {origin}{kept}."
    )


def _prediction(made: Provenance) -> str:
    turned = made.tiling.rotations
    averaged = f", and averaged over {turned} rotated versions of the image" if turned > 1 else ""
    return (
        "Images were predicted with the overlap-tile strategy, mirrored at their borders"
        f"{averaged}."
    )


def _objects(objects: ObjectsConfig) -> str:
    """Return how foreground became objects."""
    parts = [f"Pixels with a foreground probability of at least {objects.threshold:g} were "]
    parts.append("divided into objects")
    if objects.neck:
        parts.append(f" (cut parameter {objects.neck:g})")
    if objects.min_size:
        parts.append(f"; objects of fewer than {objects.min_size:,} pixels were dropped")
    if objects.link:
        where = "" if objects.link_along is Along.BOTH else f" along {objects.link_along}"
        words = f"; objects on neighbouring planes{where} that overlap were given the same number"
        parts.append(words)
    return f"{''.join(parts)}."


def _device(made: Provenance) -> str:
    name = made.device.partition(" (")[0]
    kind, _, threads = name.partition(", ")
    day = f" on {made.started[:10]}" if made.started else ""
    return f"{f'a CPU ({threads})' if kind == 'CPU' and threads else f'the {name}'}{day}"


def _planes(made: Provenance) -> int:
    return len(set(made.planes) | set(made.corrected))


def _list(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
