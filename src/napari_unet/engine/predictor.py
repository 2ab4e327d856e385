"""A model on its device: exact probabilities of any tile of a stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.engine.decode import Probabilities, wanted_channels
from napari_unet.engine.device import DeviceChoice, engine_errors
from napari_unet.engine.errors import ImageError, OutOfMemoryError
from napari_unet.engine.events import MemoryShort
from napari_unet.engine.means import fallback, free_cached_memory
from napari_unet.engine.model import Model
from napari_unet.engine.normalize import measure
from napari_unet.engine.openvino_network import openvino_probabilities
from napari_unet.engine.overlap import OverlapTiler, network_probabilities, predict_averaged
from napari_unet.engine.planes import Planes
from napari_unet.engine.precision import arrange
from napari_unet.engine.reduction import Reduction
from napari_unet.engine.rotation import rotations
from napari_unet.engine.tile_side import TileLimits, choose_side, tile_limits
from napari_unet.engine.tiles import Tile, read_mirrored

__all__ = ["Predictor"]


class Predictor:
    """The network on the device, and the stack that it predicts.

    Parameters
    ----------
    model
        Network, weights and the meaning of its outputs.
    planes
        The stack; its grey value range is measured once, over the whole stack, reduced as the
        network sees it.
    device
        Where to compute.
    count
        Rotated versions of each plane that are averaged.

    Raises
    ------
    ImageError
        If the image does not fit the model, is constant, or holds NaN or infinite values.
    EngineError
        If the device fails.

    Notes
    -----
    Where memory is short, tiles are computed in parts, and if nothing else helps on the CPU.
    """

    def __init__(self, model: Model, planes: Planes, device: DeviceChoice, count: int = 1) -> None:
        _check_channels(model, planes)
        self.model = model
        self.planes = planes
        self.device = device
        self._fell_back = False
        self._reduction = Reduction(model.reduction or 1, planes.shape)
        self._reduced = self._reduction.image(planes)
        self._normalization = measure(self._reduced)
        self._rotations = rotations(self._reduced.shape, count)
        self._tiler: OverlapTiler | None = None
        self._openvino = False
        try:
            with engine_errors(device):
                self._tiler = self._new_tiler()
        except OutOfMemoryError:
            if device.device == "cpu":
                raise
        if self._tiler is None:
            self._fall_back()

    def predict(self, plane: int, tile: Tile) -> Probabilities:
        """Return the probabilities of one tile, (K, y, x); of objects, the foreground only.

        Raises
        ------
        ImageError
            If the plane holds NaN or infinite values there.
        EngineError
            If the device fails; too little memory is no failure, unless it is the CPU's.
        """
        try:
            with engine_errors(self.device):
                return self._predict(plane, tile)
        except OutOfMemoryError:
            if self.device.device == "cpu":
                raise
        self._fall_back()  # only now, since the error held what had been computed
        with engine_errors(self.device):
            return self._predict(plane, tile)

    @property
    def tile_side(self) -> int:
        """Side of the tiles that suit the device, pixels of the plane."""
        with engine_errors(self.device):
            return choose_side(
                self.model.network,
                self._limits,
                self.planes.shape,
                len(self._rotations),
                self.model.reduction or 1,
            )

    @property
    def shortage(self) -> MemoryShort | None:
        """What is done about too little memory; None: there has been enough."""
        largest = self._tiler.largest if self._tiler else None
        if largest is None and not self._fell_back:
            return None
        side = largest or self._limits.largest
        return MemoryShort(str(self.device), side * (self.model.reduction or 1))

    def _predict(self, plane: int, tile: Tile) -> Probabilities:
        def read(wanted: Tile) -> npt.NDArray[np.float32]:
            try:
                return self._normalization.apply(read_mirrored(self._reduced, plane, wanted))
            except ImageError as error:
                raise ImageError(f"Plane {plane}: {error}") from error

        def predict_blocks(wanted: Tile) -> Probabilities:
            assert self._tiler is not None, "released"
            return predict_averaged(self._tiler, read, wanted, self._rotations)

        return self._reduction.predict(predict_blocks, tile)

    def release(self) -> None:
        """Let go of the network and of the device's memory."""
        self._tiler = None
        free_cached_memory()

    @property
    def _limits(self) -> TileLimits:
        device = self.device.torch_device
        return tile_limits(self.model.network, device, openvino=self._openvino)

    def _new_tiler(self) -> OverlapTiler:
        device = self.device.torch_device
        network, channels = self.model.build(device), wanted_channels(self.model.task)
        compute = None
        if device.type == "cpu":
            compute = openvino_probabilities(network, channels)
        arrange(network, device, mixed=False)
        self._openvino = compute is not None
        compute = compute or network_probabilities(network, device, channels)
        return OverlapTiler(compute, self.model.network.levels)

    def _fall_back(self) -> None:
        """Go on on the CPU."""
        self.release()
        self.device = fallback(self.device)
        self._fell_back = True
        with engine_errors(self.device):
            self._tiler = self._new_tiler()


def _check_channels(model: Model, planes: Planes) -> None:
    has, wants = planes.channels, model.network.in_channels
    if has == wants:
        return
    if wants == 1:
        raise ImageError(
            f"The image has {has} channels (is it a colour image?), but the model was trained on "
            "one; choose one channel or convert the image to grey, or train a new model on it."
        )
    raise ImageError(
        f"The image has {has} channel{'s' * (has != 1)}, but the model was trained on {wants}; "
        "open the image with the same channels, or train a new model on it."
    )
