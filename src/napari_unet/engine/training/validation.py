"""How well a network does on the held-out pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.engine.network.unet import UNet
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.training.loss import weighted_cross_entropy
from napari_unet.engine.training.sampling import Batch


@torch.inference_mode()
def validate(network: UNet, batches: Sequence[Batch]) -> tuple[float, float]:
    """Return loss and mean IoU over the labelled pixels of some patches."""
    network.eval()
    losses, pixels = 0.0, 0
    confusion = np.zeros((network.config.classes,) * 2, dtype=np.int64)
    for batch in batches:
        logits = network(batch.images)
        labelled = batch.classes != IGNORED
        count = int(labelled.sum())
        losses += float(loss_of_classes(logits, batch)) * count
        pixels += count
        found = logits[:, : len(confusion)].argmax(1)
        confusion += _confusion(found[labelled], batch.classes[labelled], confusion)
    return losses / max(pixels, 1), _mean_iou(confusion)


def loss_of_classes(outputs: Tensor, batch: Batch) -> Tensor:
    """Return the loss of a network's outputs but for the shape field."""
    logits = outputs if batch.shape is None else outputs[:, :-1]
    return weighted_cross_entropy(logits, batch.classes, batch.weights)


def _confusion(
    predicted: Tensor, true: Tensor, like: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the pixel counts (true class, predicted class)."""
    flat = torch.bincount(true * len(like) + predicted, minlength=like.size)
    return flat.cpu().numpy().reshape(like.shape)


def _mean_iou(confusion: npt.NDArray[np.int64]) -> float:
    """Return the mean IoU over the classes that occur."""
    hit = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hit
    occurs = confusion.sum(1) > 0
    return float((hit[occurs] / union[occurs]).mean()) if occurs.any() else 0.0
