"""What the network is taught: several tasks at once, so that its features serve many.

Whole objects and background (what it will be asked for), how deep inside its object a pixel lies
and other ways to tell touching objects apart (`ShapeLosses`), what each pixel shows, how far the
next outline is, and *episodes*: from a few painted pixels of one patch, a
linear classifier on the features is fitted in closed form, and must be right on another patch of
the same image (after Bertinetto et al. 2019, "Meta-learning with differentiable closed-form
solvers"). That is what a user's first strokes will ask of the features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_unet.engine.network import UNet
from napari_unet.engine.training import weighted_cross_entropy
from pretraining.synthetic.scene import KINDS, UNKNOWN

__all__ = ["Lesson", "Losses", "Pupil"]

_SPOTS = 3, 24  # brush marks of an episode, per class
_SPOT_REACH = 3  # pixels
_FEWEST = 32  # pixels of a class that an episode needs


@dataclass(frozen=True, slots=True)
class Lesson:
    """A batch; patches 2n and 2n + 1 come from the same scene."""

    images: Tensor  # (B, 1, Y + 2 margin, X + 2 margin)
    objects: Tensor  # (B, Y, X) int64, one number per object, 0 = background
    kinds: Tensor  # (B, Y, X) int64
    distance: Tensor  # (B, Y, X), -1 to 1
    depth: Tensor  # (B, Y, X), 0 to 1
    heat: Tensor  # (B, Y, X), 0 to 1
    knows_objects: Tensor  # (B,) bool

    @property
    def foreground(self) -> Tensor:
        """(B, Y, X) int64: 1 in objects, 0 in the background."""
        return (self.objects > 0).long()


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of the loss."""

    objects: Tensor
    kinds: Tensor
    distance: Tensor
    depth: Tensor
    heat: Tensor
    flow: Tensor
    border: Tensor
    episode: Tensor

    @property
    def total(self) -> Tensor:
        """The weighted sum that is minimised."""
        shape = self.depth + self.heat + 0.3 * self.flow + 0.3 * self.border
        return self.objects + 0.4 * self.kinds + 0.5 * self.distance + shape + 0.6 * self.episode


class Pupil(nn.Module):
    """A U-Net with the heads that only pretraining needs beside its own."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        width = network.config.base_channels
        self.network = network
        self.kinds = nn.Conv2d(width, KINDS, kernel_size=1)
        self.distance = nn.Conv2d(width, 1, kernel_size=1)
        self.depth = nn.Conv2d(width, 1, kernel_size=1)
        self.heat = nn.Conv2d(width, 1, kernel_size=1)
        self.flow = nn.Conv2d(width, 2, kernel_size=1)
        self.border = nn.Conv2d(width, 1, kernel_size=1)
        self.ridge = nn.Parameter(torch.tensor(-4.0))  # logarithm of the ridge penalty
        self.sharpness = nn.Parameter(torch.tensor(1.0))  # logarithm of the logits' scale

    @property
    def heads(self) -> tuple[nn.Conv2d, ...]:
        """All that reads the features by a 1x1 convolution."""
        shapes = self.depth, self.heat, self.flow, self.border
        return self.network.head, self.kinds, self.distance, *shapes

    def learn(self, lesson: Lesson, generator: torch.Generator) -> Losses:
        """Return how wrong the network is on a batch."""
        features = self.network.features(lesson.images)
        foreground = lesson.foreground
        single = lesson.knows_objects[:, None, None].expand_as(foreground)
        inside = single & (foreground > 0)
        return Losses(
            weighted_cross_entropy(self.network.head(features), foreground, _balanced(foreground)),
            functional.cross_entropy(self.kinds(features), lesson.kinds, ignore_index=UNKNOWN),
            _mean(_apart(self.distance(features), lesson.distance), single),
            _of_field(self.depth(features), lesson.depth, single, inside),
            _of_field(self.heat(features), lesson.heat, single, inside),
            _of_flow(self.flow(features), lesson.heat, inside),
            _of_border(self.border(features), lesson.objects, inside),
            self._episodes(features, lesson, generator),
        )

    def _episodes(self, features: Tensor, lesson: Lesson, generator: torch.Generator) -> Tensor:
        losses = []
        for first in range(0, len(features), 2):
            question = _question(lesson, first, generator)
            if question is None:
                continue
            painted, truth = question
            classifier = self._fit(features[first], truth[0], painted)
            for patch in (first, first + 1):
                logits = classifier[:-1] @ features[patch].flatten(1) + classifier[-1]
                losses.append(_balanced_bce(logits, truth[patch - first].flatten()))
        return torch.stack(losses).mean() if losses else features.new_zeros(())

    def _fit(self, features: Tensor, truth: Tensor, painted: Tensor) -> Tensor:
        """Return weights (C + 1,) of the ridge regression on the painted pixels."""
        chosen = features[:, painted]  # (C, n)
        chosen = torch.cat([chosen, torch.ones_like(chosen[:1])])
        wanted = truth[painted].float() * 2 - 1
        share = torch.where(wanted > 0, 0.5 / (wanted > 0).sum(), 0.5 / (wanted < 0).sum())
        gram = (chosen * share) @ chosen.T
        penalty = self.ridge.exp() * torch.eye(len(gram))
        solution: Tensor = torch.linalg.solve(gram + penalty, (chosen * share) @ wanted)
        return self.sharpness.exp() * solution


def _balanced(foreground: Tensor) -> Tensor:
    """Return pixel weights that balance the class frequencies, within limits."""
    share = foreground.float().mean(dim=(1, 2), keepdim=True).clamp(0.15, 0.85)
    return torch.where(foreground == 1, 0.5 / share, 0.5 / (1 - share))


def _mean(losses: Tensor, where: Tensor) -> Tensor:
    """Return the mean over some pixels; 0 if there are none."""
    return (losses * where).sum() / where.sum().clamp(min=1)


def _apart(answer: Tensor, truth: Tensor) -> Tensor:
    return functional.smooth_l1_loss(answer[:, 0], truth, beta=0.1, reduction="none")


def _of_field(answer: Tensor, truth: Tensor, single: Tensor, inside: Tensor) -> Tensor:
    """Return the loss of a field that is 0 outside of objects, which counts a quarter."""
    losses = _apart(answer, truth)
    return _mean(losses, inside) + 0.25 * _mean(losses, single & ~inside)


def _of_flow(answer: Tensor, heat: Tensor, inside: Tensor) -> Tensor:
    """Return the loss of the unit vectors that point up the heat, to the object's middle."""
    steps = torch.stack(torch.gradient(heat, dim=(1, 2)), dim=1)  # (B, 2, Y, X)
    length = steps.norm(dim=1, keepdim=True)
    losses = functional.smooth_l1_loss(
        answer, steps / length.clamp(min=1e-6), beta=0.1, reduction="none"
    ).sum(dim=1)
    return _mean(losses, inside & (length[:, 0] > 1e-3))


def _of_border(answer: Tensor, objects: Tensor, inside: Tensor) -> Tensor:
    """Return the loss of the pixels that have another object within a pixel, balanced."""
    numbers = objects.float()[:, None]
    highest = functional.max_pool2d(numbers, 3, stride=1, padding=1)
    apart = torch.where(numbers == 0, torch.inf, numbers)
    lowest = -functional.max_pool2d(-apart, 3, stride=1, padding=1)
    border = inside & (highest > lowest)[:, 0]
    losses = functional.binary_cross_entropy_with_logits(
        answer[:, 0], border.float(), reduction="none"
    )
    return (_mean(losses, border) + _mean(losses, inside & ~border)) / 2


def _question(
    lesson: Lesson, first: int, generator: torch.Generator
) -> tuple[Tensor, Tensor] | None:
    """Return painted pixels (Y, X) of the first patch, and the truth (2, Y, X) of both."""
    pair = slice(first, first + 2)
    kinds = [kind for kind in torch.unique(lesson.kinds[first]).tolist() if kind != UNKNOWN]
    if torch.rand((), generator=generator) < 0.4 or len(kinds) < 2:
        truth = lesson.objects[pair] > 0
    else:  # one kind, or two of them, against the rest
        order = torch.randperm(len(kinds), generator=generator).tolist()
        wanted = order[: 1 + (len(kinds) > 2 and order[0] % 2)]
        truth = torch.isin(lesson.kinds[pair], torch.tensor([kinds[n] for n in wanted]))
    counts = torch.stack([truth.sum(dim=(1, 2)), (~truth).sum(dim=(1, 2))])
    if (counts < _FEWEST).any():
        return None
    painted = _paint(truth[0], generator) | _paint(~truth[0], generator)
    return painted, truth


def _paint(inside: Tensor, generator: torch.Generator) -> Tensor:
    """Return round spots inside a region."""
    positions = inside.nonzero()
    low, high = _SPOTS
    count = int(torch.randint(low, high + 1, (), generator=generator))
    chosen = positions[torch.randint(len(positions), (count,), generator=generator)]
    marks = torch.zeros((1, *inside.shape))
    marks[0, chosen[:, 0], chosen[:, 1]] = 1
    size = 2 * int(torch.randint(1, _SPOT_REACH + 1, (), generator=generator)) + 1
    spots = functional.max_pool2d(marks, size, stride=1, padding=size // 2)[0]
    return (spots > 0) & inside


def _balanced_bce(logits: Tensor, truth: Tensor) -> Tensor:
    loss = functional.binary_cross_entropy_with_logits(logits, truth.float(), reduction="none")
    return (loss[truth].mean() + loss[~truth].mean()) / 2
