"""What the network is taught: several tasks at once, so that its features serve many.

Objects and background with the separation border (what it will be asked for), what each pixel
shows, how far the next outline is, and *episodes*: from a few painted pixels of one patch, a
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
from pretraining.synthetic.scene import KINDS

__all__ = ["Lesson", "Losses", "Pupil"]

_SPOTS = 3, 24  # brush marks of an episode, per class
_SPOT_REACH = 3  # pixels
_FEWEST = 32  # pixels of a class that an episode needs


@dataclass(frozen=True, slots=True)
class Lesson:
    """A batch; patches 2n and 2n + 1 come from the same scene."""

    images: Tensor  # (B, 1, Y + 2 margin, X + 2 margin)
    classes: Tensor  # (B, Y, X) int64
    weights: Tensor  # (B, Y, X)
    kinds: Tensor  # (B, Y, X) int64
    distance: Tensor  # (B, Y, X)


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of the loss."""

    objects: Tensor
    kinds: Tensor
    distance: Tensor
    episode: Tensor

    @property
    def total(self) -> Tensor:
        """The weighted sum that is minimised."""
        return self.objects + 0.4 * self.kinds + 0.5 * self.distance + 0.6 * self.episode


class Pupil(nn.Module):
    """A U-Net with the heads that only pretraining needs beside its own."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        width = network.config.base_channels
        self.network = network
        self.kinds = nn.Conv2d(width, KINDS, kernel_size=1)
        self.distance = nn.Conv2d(width, 1, kernel_size=1)
        self.ridge = nn.Parameter(torch.tensor(-4.0))  # logarithm of the ridge penalty
        self.sharpness = nn.Parameter(torch.tensor(1.0))  # logarithm of the logits' scale

    @property
    def heads(self) -> tuple[nn.Conv2d, ...]:
        """All that reads the features by a 1x1 convolution."""
        return self.network.head, self.kinds, self.distance

    def learn(self, lesson: Lesson, generator: torch.Generator) -> Losses:
        """Return how wrong the network is on a batch."""
        features = self.network.features(lesson.images)
        logits = self.network.head(features)
        distance = self.distance(features)[:, 0]
        return Losses(
            weighted_cross_entropy(logits, lesson.classes, _balanced(lesson)),
            functional.cross_entropy(self.kinds(features), lesson.kinds),
            functional.smooth_l1_loss(distance, lesson.distance, beta=0.1),
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


def _balanced(lesson: Lesson) -> Tensor:
    """Return the pixel weights with the class frequencies balanced, within limits."""
    share = lesson.classes.float().mean(dim=(1, 2), keepdim=True).clamp(0.15, 0.85)
    balance = torch.where(lesson.classes == 1, 0.5 / share, 0.5 / (1 - share))
    return lesson.weights * balance


def _question(
    lesson: Lesson, first: int, generator: torch.Generator
) -> tuple[Tensor, Tensor] | None:
    """Return painted pixels (Y, X) of the first patch, and the truth (2, Y, X) of both."""
    pair = slice(first, first + 2)
    kinds = torch.unique(lesson.kinds[first]).tolist()
    if torch.rand((), generator=generator) < 0.4 or len(kinds) < 2:
        truth = lesson.classes[pair] == 1
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
