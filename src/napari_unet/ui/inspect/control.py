"""What the network sees: the weight map as a layer, and a training patch."""

from __future__ import annotations

from functools import partial

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import NetworkConfig, TrainConfig
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.training import TrainingPlan
from napari_unet.ui.inspect import job
from napari_unet.ui.layers.added import Purpose, add_unselected, find_ours, made_for
from napari_unet.ui.layers.geometry import looked_at, on_plane, place
from napari_unet.ui.layers.several_images import SeveralImages
from napari_unet.ui.progress import Progress
from napari_unet.ui.workbench import CurrentModel, Workbench


class Inspecting(QObject):
    """Prepares the labels as training does, and shows what comes of it."""

    inspected = Signal(object)  # Inspected

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench

    def start(self, network: NetworkConfig, config: TrainConfig, *, seed: int) -> None:
        """Show the weight map of the shown plane, and the patch of this seed."""
        choices, device = self._workbench.choices, self._workbench.device
        layers, start = self._workbench.pairs, choices.start
        assert layers
        assert device is not None
        try:
            pairs = TrainingSet([pair.read() for pair in layers])
        except UnetPaintError as error:
            self._workbench.fail(error)
            return
        plan = TrainingPlan(
            start=start.model if isinstance(start, CurrentModel) else network,
            scheme=choices.scheme,
            config=config,
            device=device,
            sizes=self._workbench.sizes,
        )
        images = SeveralImages([pair.image for pair in layers])
        inspection = job.inspect_labels(pairs, plan, plane=self._shown_plane(images), seed=seed)
        show = partial(self._show, images)
        self._workbench.run("Looking at the labels", inspection, show)

    def _shown_plane(self, images: SeveralImages) -> int:
        """Return the number of the shown plane, of the chosen image if it is one of them."""
        chosen = self._workbench.choices.image
        number = 0 if chosen is None else images.index(chosen) or 0
        plane, _, _ = looked_at(self._workbench.viewer, images.layers[number])
        return images.number(number, plane)

    def _show(self, images: SeveralImages, event: job.Inspected) -> None:
        image, plane = images.place(event.plane)
        if images.index(image) is None:
            told = f"'{image.name}' shows other data by now; press Show again."
            self._workbench.progressed.emit(Progress(told, 1))
            return
        self._show_weights(event, image, plane)
        self._workbench.progressed.emit(Progress("This is what the network sees.", 1))
        self.inspected.emit(event)

    def _show_weights(self, event: job.Inspected, image: Layer, plane: int) -> None:
        """Put the weight map in the place of the last one; how it is shown is the user's."""
        viewer = self._workbench.viewer
        before = find_ours(viewer, Purpose.WEIGHT_MAP)
        layer = Image(
            on_plane(image, event.weights),
            name="weight map",
            colormap="inferno",
            blending="additive",  # black, where nothing is painted, lets the image through
            contrast_limits=(0, max(float(event.weights.max()), 1e-6)),
            metadata=made_for(Purpose.WEIGHT_MAP),
            **place(image, plane, event.origin),
        )
        if before is not None:
            layer.name, layer.opacity, layer.visible = before.name, before.opacity, before.visible
            viewer.layers.remove(before)
        if image in viewer.layers:
            add_unselected(viewer, layer, above=image)
