"""What is typed after a command, as types; none of them needs numpy or torch."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.config import Task, Unpainted


class DeviceName(StrEnum):
    """What the engine can compute on; its own list would need torch."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class NetworkName(StrEnum):
    """The networks of `config.NETWORKS`."""

    LIGHT = "light"
    PAPER = "2015"


class LinkAxis(StrEnum):
    """An axis along which objects are linked, in place of both."""

    Z = "z"
    T = "t"


_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?[1-9]\d*)?)?")


def parse_planes(text: str) -> PlaneSelection:
    """Read plane numbers and slices (start:stop:step, as in Python), parted by commas.

    Raises
    ------
    typer.BadParameter
        If the text is anything else.
    """
    parts: list[int | slice] = []
    for word in text.replace(" ", "").split(","):
        if match := _SLICE.fullmatch(word):
            parts.append(slice(*(int(n) if n else None for n in match.groups())))
        elif re.fullmatch(r"-?\d+", word):
            parts.append(int(word))
        else:
            raise typer.BadParameter(f"'{text}' names no planes; write 3, 2,67 or 0:10.")
    return PlaneSelection(text, tuple(parts))


def parse_reduction(text: str) -> int | None:
    """Read the side of a block in pixels; None for "auto".

    Raises
    ------
    typer.BadParameter
        If the text is anything else.
    """
    if text == "auto":
        return None
    if re.fullmatch(r"\d+", text):
        return int(text)
    raise typer.BadParameter(f"'{text}' is no number; write 3, or auto.")


def parse_axes(text: str) -> str:
    """Read a letter per axis, as in TZCYX; Y and X, in this order, are among them.

    Raises
    ------
    typer.BadParameter
        If the text is anything else.
    """
    axes = text.upper()
    if not re.fullmatch(r"[A-Z]*Y[A-Z]*X[A-Z]*", axes) or len(set(axes)) < len(axes):
        raise typer.BadParameter(f"'{text}' names no axes; write ZYX, TYX or TZCYX, for example.")
    return axes


def parse_channels(text: str) -> tuple[str, ...]:
    """Read names or numbers of channels, parted by commas.

    Raises
    ------
    typer.BadParameter
        If there is none.
    """
    words = tuple(word for each in text.split(",") if (word := each.strip()))
    if not words:
        raise typer.BadParameter("name a channel, or several parted by commas: DAPI,GFP or 0,2.")
    return words


STACK = "TIFF, folder of TIFF or PNG planes, or OME-Zarr"

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", help="A bundled model, one of yours, or a file.", show_default=False
    ),
]
TaskWish = Annotated[Task, typer.Option(help="Separate things, or kinds of region.")]
UnpaintedWish = Annotated[
    Unpainted, typer.Option(help="What 0 means: unlabelled (then 1 = background), or background.")
]
UnpaintedGuess = Annotated[
    Unpainted | None,
    typer.Option(
        help="What 0 means: unlabelled (then 1 = background), or background, as in a label image "
        "or mask; default: ignored, unless that is plainly not meant.",
    ),
]
TrainImage = Annotated[
    Path | None,
    typer.Argument(
        metavar="IMAGE",
        help=f"{STACK}; or a folder of images that differ in size.",
        show_default=False,
    ),
]
TrainLabels = Annotated[
    Path | None,
    typer.Argument(
        metavar="LABELS",
        help=f"Painted labels, which may lack planes: {STACK}; of several images, a folder of "
        "files named like them.",
        show_default=False,
    ),
]
PairWishes = Annotated[
    list[Path] | None,
    typer.Option(
        "--pair",
        metavar="IMAGE LABELS",
        help="An image and its labels; may be given any number of times.",
        show_default=False,
    ),
]
ImagePaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="IMAGE...",
        help=f"{STACK}; or, into a folder, any files, folders and quoted patterns.",
        show_default=False,
    ),
]
SuffixWish = Annotated[
    str, typer.Option(metavar="TEXT", help="Put behind the name of each result in the folder.")
]
TablesWish = Annotated[
    bool,
    typer.Option("--tables", help="Measure all objects, too, into NAME.csv beside each result."),
]
PlaneWish = Annotated[
    Any,
    typer.Option(
        parser=parse_planes,
        metavar="PLANES",
        help="Only these planes, counted from 0: 3 or 2,67 or 0:10.",
    ),
]
LabelledPlaneWish = Annotated[
    Any,
    typer.Option(
        parser=parse_planes,
        metavar="PLANES",
        help="Only these planes, counted from 0: 3 or 2,67 or 0:10; labels of just as many planes "
        "belong to these.",
    ),
]
TileWish = Annotated[
    int | None,
    typer.Option(metavar="N", help="Side of a tile, pixels; default: what suits the device."),
]
RotationsWish = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Rotated versions of the image that are averaged; default: 1, for models of the "
        "network 2015 7, as in the paper.",
    ),
]
LinkWish = Annotated[
    bool, typer.Option("--link", help="Keep an object's number from plane to plane (z and t).")
]
LinkAlongWish = Annotated[
    LinkAxis | None,
    typer.Option(help="Link along this axis only: what differs along the other stays apart."),
]
SmallestWish = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Smaller objects are dropped, pixels; default: by the size of the painted ones.",
    ),
]
ReductionWish = Annotated[
    Any,
    typer.Option(
        parser=parse_reduction,
        metavar="N|auto",
        help="Show the network the mean of N×N pixels as one, N up to 8; auto: as a model was "
        "trained; for a new network, such that the larger painted objects are about 32 pixels "
        "wide (2015: 1).",
    ),
]
DiameterWish = Annotated[
    float | None,
    typer.Option(
        metavar="PIXELS",
        help="Diameter of a typical object in the image, which decides the reduction if none is "
        "given; default: measured on objects that are painted whole, or estimated from strokes.",
    ),
]
AxesWish = Annotated[
    Any,
    typer.Option(
        parser=parse_axes,
        metavar="AXES",
        help="What the axes are, where the file does not say it or is wrong: TYX, ZYX, TZCYX.",
    ),
]
ChannelsWish = Annotated[
    Any,
    typer.Option(
        parser=parse_channels,
        metavar="CHANNELS",
        help="Only these channels of the image, by name or number from 0: DAPI or 0,2; default: "
        "all.",
    ),
]
PositionWish = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|N", help="Which image of a file of several, by name or number from 0."
    ),
]
PositionsWish = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|N|all",
        help="Which image of a file of several, by name or number from 0; all: each by itself, "
        "into a folder.",
    ),
]
PixelSizeWish = Annotated[
    float | None,
    typer.Option(min=1e-9, metavar="UM", help="Side of a pixel, µm; default: as the files say."),
]
ZStepWish = Annotated[
    float | None,
    typer.Option(
        min=1e-9, metavar="UM", help="Distance of planes along Z, µm; default: as the files say."
    ),
]
DeviceWish = Annotated[DeviceName, typer.Option(help="Where to compute.")]
ClusterWish = Annotated[
    str | None,
    typer.Option(
        metavar="local:N|ADDRESS",
        help="Let the workers of a Dask cluster do the work: N started here, or those of a "
        "scheduler (its address, or its file).",
    ),
]
AnewWish = Annotated[
    bool,
    typer.Option(
        "--anew", help="Begin from the start, although an earlier run was stopped or killed."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the figures as one JSON object, nothing else.")
]
