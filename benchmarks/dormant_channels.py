"""How many channels of a network fire on no image at all?

    python -m benchmarks.dormant_channels light [MODEL …]

A channel is dormant if its mean activation is at most a hundredth of its layer's
(`pretraining/dormant.py`). Where a whole layer is, nothing beneath it reaches the output. The
images are scenes of every kind that pretraining knows. Beside each model stands the same network
with random weights. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_unet.engine.network import UNet, fresh_model
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from pretraining.dormant import find_dormant
from pretraining.pool import MODALITIES, make_example

SIDE = 220  # pixels
SCENES = 2  # of each kind


def scenes() -> Tensor:
    """Return scenes (B, 1, Y, X) of every synthetic kind, -1 to 1."""
    images = [
        make_example(kind, Path(), (SIDE, SIDE), [7, number]).image
        for kind in MODALITIES
        for number in range(SCENES)
    ]
    return torch.from_numpy(np.stack(images)[:, None].astype(np.float32))


def count(network: UNet, images: Tensor) -> dict[str, str]:
    """Return "dormant/all" of each convolution that a ReLU follows."""
    network.eval()
    found = find_dormant(network, [network.head], images)
    dormant = {id(part.convolution): len(part.channels) for part in found}
    return {
        name: f"{dormant.get(id(layer), 0)}/{layer.out_channels}"
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and layer is not network.head
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled names or files")
    wish = parser.parse_args()
    cpu = torch.device("cpu")
    images = scenes()
    columns: dict[str, dict[str, str]] = {}
    for name in wish.models:
        model = load_model(find_model(name))
        random = fresh_model(model.network, model.normalization, model.task, model.values, seed=0)
        columns[Path(name).stem] = count(model.build(cpu), images)
        columns[f"{Path(name).stem}, random weights"] = count(random.build(cpu), images)
    print(f"| layer | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for layer in next(iter(columns.values())):
        print(f"| {layer} | {' | '.join(column.get(layer, '') for column in columns.values())} |")


if __name__ == "__main__":
    main()
