"""Which labels belong to which image: what can be trained on together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.engine.paint import Pair
from napari_unet.io.names import contained_name
from napari_unet.ui.layers.added import images_of, made_on, other_image, purpose
from napari_unet.ui.layers.inputs import image_planes, lesson_planes, why_no_labels


@dataclass(frozen=True, slots=True, eq=False)
class LayerPair:
    """An image, which may be a layer for each channel, and labels on it."""

    images: tuple[Image, ...]
    labels: Labels

    @property
    def image(self) -> Image:
        """The image, or its first channel."""
        return self.images[0]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells the pair from others."""
        return (str(self.labels.unique_id), *(str(image.unique_id) for image in self.images))

    def read(self) -> Pair:
        """Return what the engine reads; raises as `image_planes` does."""
        return Pair(image_planes(self.images), lesson_planes(self.labels))

    def note(self) -> None:
        """Note that the labels belong to this image, from now on."""
        self.labels.metadata.update(made_on(self.images))


@dataclass(frozen=True, slots=True, eq=False)
class FoundPair:
    """A pair of layers, and how sure it is that people mean it."""

    pair: LayerPair
    is_meant: bool  # chosen, or made for one another
    other: str = ""  # name of the image that the labels belong to in truth; empty: this one


def find_layer_pairs(
    viewer: ViewerModel, images: Sequence[Image], labels: Labels | None
) -> list[FoundPair]:
    """Return the pairs among the layers, what is chosen first; none if no labels are chosen.

    Parameters
    ----------
    images, labels
        What is chosen.

    Notes
    -----
    Labels belong to the image that *New labels* made them on, or that they were trained on with;
    else to the one whose name theirs contains, or that alone has their size. Chosen labels belong
    to the chosen image, unless they are known to belong to another one that is there: then both
    are found, and the chosen one is not meant. Other labels of the chosen image are not found, and
    nothing is where none is meant.
    """
    if labels is None:
        return []
    found: list[FoundPair] = []
    chosen = tuple(images)
    fits, other = why_no_labels(labels, chosen) is None, other_image(viewer, labels, chosen)
    if fits and other is None:
        found.append(FoundPair(LayerPair(chosen, labels), is_meant=True))
    taken = {image for one in found for image in one.pair.images}
    layers = [layer for layer in reversed(viewer.layers) if isinstance(layer, Labels)]
    others = [layer for layer in layers if layer is not labels]
    for pair, is_known in _pairs_of(viewer, others if found else [labels, *others]):
        if taken.isdisjoint(pair.images):
            found.append(FoundPair(pair, is_meant=is_known))
            taken |= set(pair.images) if is_known else set()
    if fits and other is not None:
        found.append(FoundPair(LayerPair(chosen, labels), is_meant=False, other=other.name))
    return found if any(one.is_meant for one in found) else []


def _pairs_of(viewer: ViewerModel, layers: Sequence[Labels]) -> Iterator[tuple[LayerPair, bool]]:
    """Yield labels with their image, and whether that is known; those of which it is come first."""
    known = [(one, _as_images(images_of(viewer, one))) for one in layers]
    for one, own in known:
        if own and why_no_labels(one, own) is None:
            yield LayerPair(own, one), True
    for one, own in known:
        guessed = () if own or purpose(one) is not None else _guess(viewer, one)
        if guessed:
            yield LayerPair(guessed, one), False


def _as_images(layers: Sequence[object]) -> tuple[Image, ...]:
    found = tuple(layer for layer in layers if isinstance(layer, Image))
    return found if len(found) == len(layers) else ()


def _guess(viewer: ViewerModel, labels: Labels) -> tuple[Image, ...]:
    """Return the image that labels belong to by their name, or as no other fits them."""
    fitting = [
        layer
        for layer in viewer.layers
        if isinstance(layer, Image)
        and purpose(layer) is None
        and why_no_labels(labels, (layer,)) is None
    ]
    named = contained_name(labels.name, {image.name: n for n, image in enumerate(fitting)})
    if named is not None:
        return (fitting[named],)
    return (fitting[0],) if len(fitting) == 1 else ()
