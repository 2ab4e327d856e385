"""A model on its device: exact probabilities of any tile of a stack."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt

from napari_unet.engine.counts import count
from napari_unet.engine.errors import ImageError, OutOfMemoryError
from napari_unet.engine.events import MemoryShort
from napari_unet.engine.network.device import (
    DeviceChoice,
    engine_errors,
    fallback,
    free_cached_memory,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.prediction.backend import Backend
from napari_unet.engine.prediction.decode import Probabilities
from napari_unet.engine.prediction.overlap_tile import predict_averaged
from napari_unet.engine.prediction.rotation import rotations
from napari_unet.engine.prediction.tile_side import choose_side
from napari_unet.engine.stack.normalization import Normalization, measure
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Tile, read_mirrored


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
    backend
        The model's network on the device, where several stacks share one; None: one is built.
    normalization
        What was measured of the stack before, for this model; None: it is measured now.

    Raises
    ------
    ImageError
        If the image does not fit the model, is constant, or holds NaN or infinite values.
    EngineError
        If the device fails.

    Notes
    -----
    Where memory is short, tiles are computed in parts, and if nothing else helps on the CPU.
    Several threads may predict at the same time; they read one after the other.
    """

    def __init__(
        self,
        model: Model,
        planes: Planes,
        device: DeviceChoice,
        count: int = 1,
        backend: Backend | None = None,
        *,
        normalization: Normalization | None = None,
    ) -> None:
        _check_channels(model, planes)
        self.model = model
        self.planes = planes
        self.device = device
        self._fell_back = False
        self.seen = model.seen(planes)  # by the network
        self._reduced = self.seen.image(planes)
        if normalization is None:
            normalization = measure(self._reduced, trained=model.normalization)
        self.normalization = normalization
        self._rotations = rotations(self._reduced.shape, count)
        self._reading = Lock()
        self._falling_back = Lock()
        self._backend = backend or Backend.fitting(model, device)
        if self._backend is None:
            self._fall_back(None)

    def predict(self, plane: int, tile: Tile) -> Probabilities:
        """Return the probabilities of one tile, (K, y, x); of objects, the foreground only.

        Raises
        ------
        ImageError
            If the plane holds NaN or infinite values there.
        EngineError
            If the device fails; too little memory is no failure, unless it is the CPU's.
        """
        with self._falling_back:  # another thread may be about it
            backend = self._backend
        assert backend is not None, "released"
        try:
            return self._predict(backend, plane, tile)
        except OutOfMemoryError:
            if backend.device.device == "cpu":
                raise
        # Only now, since the error held what had been computed.
        on_cpu = self._fall_back(backend)
        del backend  # and with it the network on the device that failed
        return self._predict(on_cpu, plane, tile)

    @property
    def tile_side(self) -> int:
        """Side of the tiles that suit the device, pixels of the plane."""
        backend = self._backend
        assert backend is not None, "released"
        with engine_errors(backend.device):
            return choose_side(
                self.model.network,
                backend.tile_limits(),
                self.seen,
                len(self._rotations),
            )

    @property
    def backend_name(self) -> str:
        """What computes on the device, as people know it."""
        backend = self._backend
        return "OpenVINO" if backend is not None and backend.openvino else "PyTorch"

    @property
    def at_once(self) -> int:
        """How many tiles are predicted at the same time, so that the device need not wait.

        While a GPU computes one, the next is read and copied to it.
        """
        return 2 if self.device.torch_device.type == "cuda" else 1

    @property
    def shortage(self) -> MemoryShort | None:
        """What is done about too little memory; None: there has been enough.

        While another thread falls back, nothing is told yet.
        """
        backend = self._backend
        if backend is None:
            return None
        largest = backend.tiler.largest
        if largest is None and not self._fell_back:
            return None
        side = largest or backend.tile_limits().largest
        return MemoryShort(str(self.device), self.seen.on_plane(side))

    def _predict(self, backend: Backend, plane: int, tile: Tile) -> Probabilities:
        def read(wanted: Tile) -> npt.NDArray[np.float32]:
            with self._reading:
                values = read_mirrored(self._reduced, plane, wanted)
            return self.normalization.apply(values, f"Plane {plane} of '{self.planes.name}'")

        def predict_blocks(wanted: Tile) -> Probabilities:
            return predict_averaged(backend.tiler, read, wanted, self._rotations)

        with backend.computing():
            return self.seen.predict(predict_blocks, tile)

    def release(self) -> None:
        """Let go of the network, which others may share, and of the device's memory."""
        self._backend = None
        free_cached_memory()

    def _fall_back(self, failed: Backend | None) -> Backend:
        """Go on on the CPU, unless another thread has begun to already."""
        with self._falling_back:
            if self._backend is not failed:
                assert self._backend is not None, "released"
                return self._backend
            self.release()
            self.device = fallback(self.device)
            self._fell_back = True
            with engine_errors(self.device):
                on_cpu = Backend.of(self.model, self.device)
                if failed is not None:  # the tiles are as large as suited the GPU
                    on_cpu.tiler.largest = on_cpu.usual_side
            self._backend = on_cpu
            return on_cpu


def _check_channels(model: Model, planes: Planes) -> None:
    has, wants = planes.channels, model.network.in_channels
    if has == wants:
        return
    if wants == 1:
        raise ImageError(
            f"The image has {has} channels (is it a colour image?), but the model was trained on "
            "one; choose one channel (on the command line with --channels), or train a new model "
            "on it."
        )
    raise ImageError(
        f"The image has {count(has, 'channel')}, but the model was trained on {wants}; "
        "open the image with the same channels, or train a new model on it."
    )
