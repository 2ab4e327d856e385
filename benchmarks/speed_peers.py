"""The peers of benchmarks/speed.py: other ways to do the same work."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import nn

from napari_unet.engine.network import UNet, margin, stride, valid_output_size
from napari_unet.engine.stack import cut_plane

__all__ = [
    "bioimageio_blocks",
    "border_weights_per_object",
    "count_operations",
    "monai_elastic",
    "monai_sliding_window",
    "plain_pass",
    "scipy_elastic",
]

Image = npt.NDArray[np.float32]


@torch.inference_mode()
def plain_pass(network: UNet, values: Image, tile: int) -> None:
    """Predict a plane (1, 1, Y, X) tile by tile with PyTorch as it comes."""
    for image in _inputs(network, values, tile):
        network(image).softmax(dim=1)


def _inputs(network: UNet, values: Image, tile: int) -> list[torch.Tensor]:
    """Return the mirrored inputs of all tiles."""
    levels = network.config.levels
    context = margin(levels)
    tiles = cut_plane(values.shape[-2:], tile, stride(levels))
    far = context + max(tile, *(t.y.length for t in tiles)) + stride(levels)
    padded = np.pad(values[0, 0], ((context, far), (context, far)), mode="reflect")
    inputs = []
    for part in tiles:
        height, width = (
            valid_output_size(span.length, levels) + 2 * context for span in (part.y, part.x)
        )
        cut = padded[part.y.start : part.y.start + height, part.x.start : part.x.start + width]
        inputs.append(torch.from_numpy(np.ascontiguousarray(cut))[None, None])
    return inputs


def count_operations(network: UNet, side: int, tile: int) -> int:
    """Return the multiplications and additions of all convolutions for a plane."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        taps = 1 if isinstance(layer, nn.ConvTranspose2d) else int(np.prod(layer.kernel_size))
        total += 2 * taps * inputs[0].shape[1] * output.numel()

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    plain_pass(network, np.zeros((1, 1, side, side), dtype=np.float32), tile)
    for hook in hooks:
        hook.remove()
    return total


def monai_sliding_window(network: UNet, values: Image) -> Callable[[], Any]:
    """Return MONAI's prediction of a plane by the same network, padded so that sizes stay."""
    from monai.inferers.utils import sliding_window_inference  # noqa: PLC0415  # slow to load

    padded = _padded(network)
    image = torch.from_numpy(values)

    @torch.inference_mode()
    def run() -> Any:
        return sliding_window_inference(image, (512, 512), 1, padded, overlap=0.25, mode="gaussian")

    return run


def bioimageio_blocks(network: UNet, values: Image, side: int = 576) -> Callable[[], Any]:
    """Return bioimageio.core's prediction of a plane in blocks by the same network.

    The network is padded so that sizes stay, and saved as TorchScript; its context is cut off.
    """
    from bioimageio.core import create_prediction_pipeline  # noqa: PLC0415  # slow to load
    from bioimageio.core.prediction import create_sample_for_model  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        description = _describe(network, values[:, :, :side, :side], Path(folder))
        pipeline = create_prediction_pipeline(description)
        pipeline.load()
        sample = create_sample_for_model(description, inputs={"image": values})
    block = {"image": {"batch": 1, "channel": 1, "y": side, "x": side}}
    return lambda: pipeline.predict_sample_with_fixed_blocking(sample, input_block_shape=block)


def _describe(network: UNet, example: Image, folder: Path) -> Any:
    """Return the padded network as a model of bioimage.io, its files in a folder."""
    from bioimageio.spec.model import v0_5  # noqa: PLC0415  # slow to load

    step = stride(network.config.levels)
    halo = -(-margin(network.config.levels) // step) * step
    sizes = v0_5.ParameterizedSize(min=example.shape[-1], step=step)
    with torch.inference_mode():
        image = torch.from_numpy(example)
        script = torch.jit.trace(_padded(network), image)  # type: ignore[no-untyped-call]
        script.save(str(folder / "weights.pt"))
        np.save(folder / "input.npy", example)
        np.save(folder / "output.npy", script(image).numpy())
    before = [v0_5.SpaceInputAxis(id=name, size=sizes) for name in "yx"]
    after = [
        v0_5.SpaceOutputAxisWithHalo(
            id=name, size=v0_5.SizeReference(tensor_id="image", axis_id=name), halo=halo
        )
        for name in "yx"
    ]

    def tensor(kind: Any, name: str, channels: list[str], space: list[Any], file: str) -> Any:
        axes = [v0_5.BatchAxis(), v0_5.ChannelAxis(channel_names=channels), *space]
        return kind(id=name, axes=axes, test_tensor=v0_5.FileDescr(source=folder / file))

    outputs = ["background", "foreground"]
    return v0_5.ModelDescr(
        name="the same network",
        license="MIT",
        inputs=[tensor(v0_5.InputTensorDescr, "image", ["grey"], before, "input.npy")],
        outputs=[tensor(v0_5.OutputTensorDescr, "probabilities", outputs, after, "output.npy")],
        weights=v0_5.WeightsDescr(
            torchscript=v0_5.TorchscriptWeightsDescr(
                source=folder / "weights.pt", pytorch_version=v0_5.Version(torch.__version__)
            )
        ),
    )


def _padded(network: UNet) -> nn.Module:
    """Return the network to probabilities, padded so that sizes stay."""
    padded = copy.deepcopy(network)
    for layer in padded.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            layer.padding = (1, 1)
    return nn.Sequential(padded, nn.Softmax(dim=1)).eval()


def border_weights_per_object(
    objects: npt.NDArray[np.int32], w0: float = 10.0, sigma: float = 5.0
) -> npt.NDArray[Any]:
    """Return the border weight by one distance transform of the whole image per object."""
    numbers = range(1, int(objects.max()) + 1)
    distances = np.stack([ndimage.distance_transform_edt(objects != n) for n in numbers])
    d1, d2 = np.sort(distances, axis=0)[:2]
    weights = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    weights[objects > 0] = 0
    return np.asarray(weights)


def monai_elastic(image: Image, labels: Image) -> Callable[[], Any]:
    """Return MONAI's elastic deformation of an image and its label image."""
    from monai.transforms.spatial.dictionary import Rand2DElasticd  # noqa: PLC0415  # slow to load

    deform = Rand2DElasticd(
        keys=("image", "labels"),
        spacing=(191, 191),
        magnitude_range=(10, 10),
        prob=1.0,
        mode=("bilinear", "nearest"),
        padding_mode="reflection",
    )
    data: dict[Any, Any] = {"image": torch.from_numpy(image), "labels": torch.from_numpy(labels)}
    return lambda: deform(data)


def scipy_elastic(rng: np.random.Generator, image: Image, labels: Image) -> None:
    """Deform with scipy alone: a cubic zoom of the coarse grid, and map_coordinates."""
    side = image.shape[-1]
    coarse = 10 * rng.standard_normal((2, 3, 3))
    field = np.stack([ndimage.zoom(part, side / 3, order=3) for part in coarse])
    coordinates = np.indices((side, side)) + field[:, :side, :side]
    ndimage.map_coordinates(image[0], coordinates, order=1, mode="mirror")
    ndimage.map_coordinates(labels[0], coordinates, order=0, mode="mirror")
