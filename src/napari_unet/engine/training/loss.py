"""Weighted cross-entropy over the labelled pixels (eq. 1)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_unet.engine.paint.label_scheme import IGNORED

_BETA = 0.1  # beyond this the loss of the field grows linearly


def weighted_cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over the labelled pixels of w(x)·(-log softmax of the true class).

    Parameters
    ----------
    logits
        (B, K, Y, X).
    classes
        (B, Y, X) int64, 0 to K - 1, or `IGNORED`.
    weights
        (B, Y, X) float32, w(x) of eq. 2.

    Returns
    -------
    Scalar
        0 for a perfect answer, however few pixels are labelled; ln 2 for an undecided one with
        two classes and unit weights. 0 if no pixel is labelled.

    Notes
    -----
    Eq. 1 sums over the pixels; the mean keeps the step length independent of how much is
    painted.
    """
    loss = functional.cross_entropy(logits, classes, ignore_index=IGNORED, reduction="none")
    labelled = (classes != IGNORED).sum().clamp(min=1)
    return (loss * weights).sum() / labelled


def shape_loss(field: Tensor, shape: Tensor) -> Tensor:
    """Return how far the shape field is from what it is to be.

    Parameters
    ----------
    field
        (B, Y, X).
    shape
        (B, 2, Y, X): what it is to be, and the weight of each pixel.

    Returns
    -------
    Scalar
        The weighted mean of the smooth L1 loss (Girshick 2015).
    """
    wanted, weights = shape.unbind(dim=1)
    losses = functional.smooth_l1_loss(field, wanted, beta=_BETA, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp(min=1)
