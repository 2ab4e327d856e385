"""A training set as the network sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from napari_unet.config import Unpainted
from napari_unet.engine.counts import count
from napari_unet.engine.paint.training_set import Pair, TrainingSet
from napari_unet.engine.stack.normalization import Normalization, NormalizedPlanes, measure
from napari_unet.engine.stack.pixel_size import pixels_in
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.reduction import Reduction, tell_scaled
from napari_unet.engine.training.size_choice import SizeChoice


@dataclass(frozen=True, slots=True, eq=False)
class SeenSet:
    """Images in normalised grey values, with pixels and labels as the network sees them.

    The planes have the numbers that they have in the set as it was given.
    """

    pairs: TrainingSet
    reductions: tuple[Reduction, ...]  # of each image
    usual: Reduction  # of one whose pixels are as large as in the first
    normalization: Normalization  # of the first image

    @classmethod
    def of(
        cls,
        pairs: TrainingSet,
        size: SizeChoice,
        unpainted: Unpainted,
        normalization: Callable[[Planes], Normalization],
    ) -> SeenSet:
        """Return how the network sees a set.

        Parameters
        ----------
        size
            How large it sees things.
        unpainted
            What label 0 means.
        normalization
            Gives that of the first image, as the network sees it. The others are measured when they
            are read, and seen as a model sees them that was trained on the first.
        """
        reductions = tuple(_seen(planes, size) for planes in pairs.images)
        images = [
            reduction.image(planes)
            for reduction, planes in zip(reductions, pairs.images, strict=True)
        ]
        first = normalization(images[0])
        maps: list[Callable[[], Normalization]] = [lambda: first]
        maps += [partial(measure, image, trained=first) for image in images[1:]]
        seen = [
            Pair(NormalizedPlanes(image, ranges), reduction.labels(labels, unpainted))
            for image, ranges, reduction, labels in zip(
                images, maps, reductions, pairs.labels, strict=True
            )
        ]
        usual = Reduction(size.reduction, pairs.images[0].shape, size.enlargement)
        return cls(TrainingSet(seen), reductions, usual, first)

    def reduction(self, number: int) -> Reduction:
        """Return how a plane is seen."""
        return self.reductions[self.pairs.place(number)[0]]

    def on_plane(self, number: int, pixels: int) -> float:
        """Return how many pixels of the plane as it was given so many seen ones are."""
        return pixels * self.reduction(number).area


def _seen(planes: Planes, size: SizeChoice) -> Reduction:
    by = pixels_in(size.pixel_size, planes.pixel_size)
    return Reduction.scaled(planes.shape, size.reduction, size.enlargement, by)


def tell_of_images(pairs: TrainingSet, size: SizeChoice, painted: tuple[int, ...]) -> Iterator[str]:
    """Yield what people should know of the images of a set, in a sentence each.

    Parameters
    ----------
    painted
        Numbers of the painted planes.
    """
    for planes in pairs.images:
        yield tell_scaled(planes, size.pixel_size, _seen(planes, size))
    unknown = [f"'{planes.name}'" for planes in pairs.images if planes.pixel_size is None]
    if unknown and len(pairs.images) > 1:
        named = ", ".join(unknown[:3]) + (", …" if len(unknown) > 3 else "")
        what = (
            "No pixel size is known"
            if len(unknown) == len(pairs.images)
            else f"The pixel size of {named} is not known ({count(len(unknown), 'image')} of "
            f"{len(pairs.images)})"
        )
        yield f"{what}: all images are taken to have pixels of one size."
    if not unknown and size.pixel_size is None:
        yield (
            "The pixels of these images differ in size, but what is painted would be less alike if "
            "they were brought together: all images are seen as they are."
        )
    learned = {pairs.place(number)[0] for number in painted}
    for image, planes in enumerate(pairs.images):
        if image not in learned:
            yield f"Nothing is painted on '{planes.name}': it is left out."
