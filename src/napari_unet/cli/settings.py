"""From what was typed to the engine's settings; what lies outside their limits is wrong usage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import typer

from napari_unet.cli.console import say
from napari_unet.config import (
    NETWORKS,
    Along,
    NetworkConfig,
    ObjectsConfig,
    Task,
    TilingConfig,
    TrainConfig,
    Unpainted,
    preset_of,
)
from napari_unet.engine.network import Model
from napari_unet.engine.training import usual_config
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import DEFAULT, find_bundled, find_model, look_up_model

_SCRATCH = "scratch"


def choose_start(wish: str | None, network: str | None) -> NetworkConfig | Model:
    """Return what training starts from.

    Parameters
    ----------
    wish
        "scratch", a model as `look_up_model` finds it, or a network; None: the default bundled
        model, and a new network if there is none or if `network` says which.
    network
        Which network to train from scratch.

    Raises
    ------
    typer.BadParameter
        If a network is chosen although the start brings its own.
    FileError
        If there is no such model.
    """
    if wish is None and network is None:
        bundled = find_bundled(DEFAULT)
        return NETWORKS[DEFAULT] if bundled is None else load_model(bundled)
    if wish is None or wish == _SCRATCH:
        return NETWORKS[network or DEFAULT]
    if network is not None and network != wish:
        raise typer.BadParameter(f"'{wish}' brings its own network; leave out --network.")
    if wish in NETWORKS and look_up_model(wish) is None:
        say(
            f"No trained weights of '{wish}' come with this version: it starts from the initial "
            "weights of the 2015 paper."
        )
        return NETWORKS[wish]
    return load_model(find_model(wish))


def train_config(
    start: NetworkConfig | Model,
    *,
    seconds: float | None,
    steps: int | None,
    seed: int,
    reduction: int | None = None,
    diameter: float | None = None,
    learning_rate: float | None = None,
    validation_share: float | None = None,
) -> TrainConfig:
    """Return the network's recipe with these settings, as `usual_config` does.

    Raises
    ------
    typer.BadParameter
        If a number is out of range.
    """
    given = {"learning_rate": learning_rate, "validation_share": validation_share}
    wishes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with _limits():
        return usual_config(
            start,
            seconds=seconds,
            steps=steps,
            reduction=reduction,
            diameter=diameter,
            seed=seed,
            **wishes,
        )


@dataclass(frozen=True, slots=True)
class TrainWishes:
    """What was chosen for a training."""

    start: NetworkConfig | Model
    config: TrainConfig
    task: Task = Task.OBJECTS
    unpainted: Unpainted | None = None  # None: ignored, unless the labels are plainly label images
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class SegmentWishes:
    """What was typed for a segmentation; None: as it goes with the model's network.

    Raises
    ------
    typer.BadParameter
        If a number is out of range.
    """

    tile: int | None = None
    rotations: int | None = None
    min_size: int | None = None
    link: bool = False
    link_along: str | None = None  # "z" or "t": linked along this axis only

    def __post_init__(self) -> None:
        with _limits():
            self.tiling(NETWORKS[DEFAULT])
            self.objects(NETWORKS[DEFAULT])

    @property
    def links(self) -> bool:
        """Whether objects are to be linked."""
        return self.link or self.link_along is not None

    def tiling(self, network: NetworkConfig) -> TilingConfig:
        """Return how planes are cut into tiles."""
        usual = preset_of(network).tiling
        rotations = usual.rotations if self.rotations is None else self.rotations
        return replace(usual, tile=self.tile, rotations=rotations)

    def objects(self, network: NetworkConfig) -> ObjectsConfig:
        """Return how foreground is cut into objects."""
        return replace(
            preset_of(network).objects,
            min_size=self.min_size,
            link=self.links,
            link_along=Along(self.link_along or Along.BOTH),
        )


@contextmanager
def _limits() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error
