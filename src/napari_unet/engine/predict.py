"""Segmentation of a stack, plane by plane and tile by tile, as an iterator of events."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from napari_unet.config import NetworkConfig, ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.decode import Probabilities, plane_decoder, wanted_channels
from napari_unet.engine.device import DeviceChoice, engine_errors
from napari_unet.engine.errors import ImageError, SettingsError
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    Stop,
    TileDone,
    never,
)
from napari_unet.engine.model import Model
from napari_unet.engine.normalize import Normalization, measure
from napari_unet.engine.overlap import OverlapTiler, network_probabilities, predict_averaged
from napari_unet.engine.planes import Planes
from napari_unet.engine.rotation import rotations
from napari_unet.engine.tiles import Tile, cut_plane, nearest_first, read_mirrored, round_up
from napari_unet.engine.unet import margin, stride

__all__ = ["choose_tile", "segment"]

_CPU_BUDGET = 256 << 20  # bytes of features per tile: small enough to show results and stop soon
_GPU_SHARE = 0.2  # of the free memory, for the features of a tile
_SMALLEST_TILE = 64  # pixels
_LARGEST_TILE = {"cpu": 512, "cuda": 2048, "mps": 1024}  # pixels
_LIVE_FEATURES = 5  # copies of the top level's features that exist at once (measured: 4.4 to 5.0)


def segment(
    model: Model,
    planes: Planes,
    *,
    device: DeviceChoice,
    tiling: TilingConfig = TilingConfig(),  # noqa: B008 frozen
    objects: ObjectsConfig = ObjectsConfig(),  # noqa: B008 frozen
    kind: OutputKind = OutputKind.LABELS,
    numbers: Sequence[int] | None = None,
    focus: tuple[int, int, int] | None = None,
    stop: Stop = never,
) -> Iterator[SegmentEvent]:
    """Segment a stack with a trained model.

    Parameters
    ----------
    model
        Network, weights and the meaning of its outputs.
    planes
        The stack; its grey value range is measured once, over the whole stack, so that planes
        and tiles agree and a stack of another exposure than the training stack still fits.
    device
        Where to compute.
    tiling
        Side of the tiles and rotated averaging; the result does not depend on the side.
    objects
        How foreground is cut into objects.
    kind
        Labels, classes or probabilities.
    numbers
        Plane numbers, in the order to do them; default: all, the nearest to the focus first.
    focus
        (plane, y, x) that the viewer looks at; tiles nearest to it are done first.
    stop
        Asked after each tile; True ends the work, and finished tiles stay.

    Yields
    ------
    SegmentEvent
        `SegmentStarted`, per plane its `TileDone` and `PlaneDone`, and `SegmentDone` at last.
        Values are labels as int32, classes as uint8, probabilities as (K, Y, X) float32; for
        objects K is 1, the foreground. Object numbers are consecutive in the order in which
        planes are done, and no two planes share one. The missing tiles of a stopped plane are 0.

    Raises
    ------
    ImageError
        If the image does not fit the model, is constant, or holds NaN or infinite values.
    SettingsError
        If a plane number does not exist.
    EngineError
        If the device fails, for example for want of memory.

    Notes
    -----
    At most one plane of decoded values is held. The memory of the device is let go when the
    generator ends or is closed.
    """
    started = time.monotonic()
    _check_channels(model, planes)
    order = _plane_order(planes.count, numbers, 0 if focus is None else focus[0])
    normalization = measure(planes)
    with engine_errors(device):
        predictor = _Predictor(model, planes, normalization, device, tiling.rotations)
        wanted = tiling.tile or choose_tile(
            model.network, device.torch_device, planes.shape, tiling.rotations
        )
    step = stride(model.network.levels)
    side = round_up(min(wanted, max(planes.shape)), step)
    tiles = cut_plane(planes.shape, side, step)
    if focus is not None:
        tiles = nearest_first(tiles, *focus[1:])
    try:
        yield SegmentStarted(str(device), order, len(order) * len(tiles), side)
        run = _Run(predictor, kind, objects, order, tiles, stop)
        reason = yield from run.segment_planes()
        yield SegmentDone(reason, tuple(run.finished), time.monotonic() - started)
    finally:
        predictor.release()


def choose_tile(
    network: NetworkConfig, device: torch.device, shape: tuple[int, int], rotations: int = 1
) -> int:
    """Return the side of tiles that suit the device, pixels.

    On a GPU the features of one tile take about a fifth of the free memory. On the CPU they
    stay small: larger tiles are no faster, and the first one would be long in coming. A plane
    that is a little larger than a tile becomes one tile instead of a tile and a sliver.
    """
    free = _CPU_BUDGET
    if device.type == "cuda":
        free = int(_GPU_SHARE * torch.cuda.mem_get_info(device)[0])
    floats = _LIVE_FEATURES * network.base_channels + network.in_channels + 3 * network.classes
    fitting = math.isqrt(free // (4 * floats))  # side of an input that fits
    if rotations > 1:
        fitting = int(fitting / math.sqrt(2))  # a tile that is turned has a larger box
    side = fitting - 2 * margin(network.levels)
    side = min(max(side, _SMALLEST_TILE), _LARGEST_TILE.get(device.type, _SMALLEST_TILE))
    longest = max(shape)
    return math.ceil(longest / max(1, round(longest / side)))


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


def _plane_order(count: int, numbers: Sequence[int] | None, focus: int) -> tuple[int, ...]:
    """Return the plane numbers in the order in which they are done."""
    if numbers is None:
        return tuple(sorted(range(count), key=lambda plane: abs(plane - focus)))
    order = tuple(dict.fromkeys(int(number) for number in numbers))
    if not order:
        raise SettingsError("No plane is chosen; choose at least one plane to segment.")
    for number in order:
        if not 0 <= number < count:
            raise SettingsError(
                f"Plane {number} does not exist; the image has planes 0 to {count - 1}."
            )
    return order


class _Predictor:
    """The network on the device, and the stack that it predicts."""

    def __init__(
        self,
        model: Model,
        planes: Planes,
        normalization: Normalization,
        device: DeviceChoice,
        count: int,
    ) -> None:
        self.model = model
        self.planes = planes
        self.device = device
        self._normalization = normalization
        network = model.build(device.torch_device)
        if device.torch_device.type == "cpu":  # 1.3 to 1.6 times as fast there
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        compute = network_probabilities(network, device.torch_device, wanted_channels(model.task))
        self._tiler: OverlapTiler | None = OverlapTiler(compute, model.network.levels)
        self._rotations = rotations(planes.shape, count)

    def predict(self, plane: int, tile: Tile) -> Probabilities:
        """Return the probabilities of one tile, (K, y, x)."""

        def read(wanted: Tile) -> npt.NDArray[np.float32]:
            try:
                return self._normalization.apply(read_mirrored(self.planes, plane, wanted))
            except ImageError as error:
                raise ImageError(f"Plane {plane}: {error}") from error

        assert self._tiler is not None, "released"
        return predict_averaged(self._tiler, read, tile, self._rotations)

    def release(self) -> None:
        """Let go of the network and of the device's memory."""
        self._tiler = None
        match self.device.torch_device.type:
            case "cuda":
                torch.cuda.empty_cache()
            case "mps":
                torch.mps.empty_cache()


@dataclass(slots=True)
class _Run:
    """A segmentation on its way."""

    predictor: _Predictor
    kind: OutputKind
    objects: ObjectsConfig
    order: tuple[int, ...]
    tiles: list[Tile]
    stop: Stop
    finished: list[int] = field(default_factory=list)  # planes
    tiles_done: int = 0
    objects_found: int = 0
    stopped: bool = False

    @property
    def tiles_in_all(self) -> int:
        return len(self.order) * len(self.tiles)

    def segment_planes(self) -> Generator[SegmentEvent, None, FinishReason]:
        for plane in self.order:
            yield from self._segment_plane(plane)
            if self.stopped and self.tiles_done < self.tiles_in_all:
                return FinishReason.STOPPED
        return FinishReason.COMPLETED

    def _segment_plane(self, plane: int) -> Iterator[SegmentEvent]:
        device, shape = self.predictor.device, self.predictor.planes.shape
        decoder = plane_decoder(
            self.predictor.model, self.kind, self.objects, shape, offset=self.objects_found
        )
        remaining = len(self.tiles)
        for tile in self.tiles:
            with engine_errors(device):
                values = decoder.add(tile, self.predictor.predict(plane, tile))
            self.tiles_done += 1
            remaining -= 1
            yield TileDone(
                plane,
                tile.y.as_slice,
                tile.x.as_slice,
                values,
                self.tiles_done,
                self.tiles_in_all,
            )
            self.stopped = self.stop()
            if self.stopped:
                break
        with engine_errors(device):
            values, objects = decoder.finish()
        self.objects_found += objects
        if not remaining:
            self.finished.append(plane)
        yield PlaneDone(plane, values, objects, complete=not remaining)
