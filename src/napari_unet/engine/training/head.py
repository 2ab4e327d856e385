"""An instant first answer: the last layer alone, fitted to the painted pixels.

With pretrained features the 1x1 head is a logistic regression on as many numbers per pixel as
the network has base channels: a convex problem that is solved within a second, before the first
gradient update of all layers.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from napari_unet.engine.network.unet import UNet
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.training.sampling import Batch

_MOST_PIXELS = 1 << 15  # painted pixels that the fit looks at
_ITERATIONS = 40
_RIDGE = (
    0.01  # at most, for a class that the head does not know yet: there is nothing to go back to
)


def fit_head(network: UNet, batches: Iterable[Batch], *, pull: float) -> None:
    """Fit the head to the labelled pixels; the other layers stay as they are.

    Minimises the weighted cross-entropy of eq. 1 plus `pull` times the squared distance from the
    head's present weights (multinomial logistic regression, by L-BFGS). The weights of a class
    that is new are zero, which says nothing about it: held to zero as hard as the others are held
    to what they know, a class with less paint than another vanishes.

    Parameters
    ----------
    network
        Its features must already mean something: pretrained, or trained on other labels.
    batches
        Patches around painted pixels. The head stays as it is if they hold no labelled pixel.
    pull
        Strength of the penalty, see `trainer`.
    """
    kept = network.config.classes  # rows of the head; the shape field stays as it is
    features, classes, weights = _labelled(network, batches)
    if not len(classes):
        return
    head = network.head
    assert head.bias is not None
    before = torch.cat([head.weight.detach()[:, :, 0, 0], head.bias.detach()[:, None]], dim=1)
    before = before[:kept]
    is_new = (before == 0).all(dim=1, keepdim=True)
    pulls = torch.where(is_new, min(pull, _RIDGE), pull)
    fitted = before.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [fitted], max_iter=_ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        logits = features @ fitted[:, :-1].T + fitted[:, -1]
        losses = functional.cross_entropy(logits, classes, reduction="none")
        loss = (losses * weights).mean() + (pulls * (fitted - before).square()).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    if not bool(torch.isfinite(fitted).all()):
        return
    with torch.no_grad():
        head.weight[:kept] = fitted[:, :-1, None, None]
        head.bias[:kept] = fitted[:, -1]


@torch.no_grad()
def _labelled(network: UNet, batches: Iterable[Batch]) -> tuple[Tensor, Tensor, Tensor]:
    """Return features (n, C), classes (n,) and weights (n,) of labelled pixels."""
    was_training = network.training
    network.eval()
    found = []
    for batch in batches:
        features = network.features(batch.images).movedim(1, -1)  # (B, Y, X, C)
        labelled = batch.classes != IGNORED
        found.append((features[labelled], batch.classes[labelled], batch.weights[labelled]))
    network.train(was_training)
    features, classes, weights = (torch.cat(part) for part in zip(*found, strict=True))
    every = 1 + len(classes) // _MOST_PIXELS
    return features[::every], classes[::every], weights[::every]
