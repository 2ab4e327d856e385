"""The command that writes labels in the formats of other programs."""
# ruff: noqa: PLC0415

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_unet.cli.console import show, stop_on_signal
from napari_unet.cli.options import STACK, AsJson, AxesWish, ChannelsWish, PositionWish


class FormatName(StrEnum):
    """The formats of `io.label_formats`, which would need numpy."""

    TIFF = "tiff"
    OME_TIFF = "ome-tiff"
    OME_ZARR = "ome-zarr"
    IMAGEJ = "imagej"
    GEOJSON = "geojson"
    TRACKING = "ctc"


def convert(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help=f"{STACK}.", show_default=False)],
    outputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="OUT...",
            help="Files to write, whose names say the format: .tif, .ome.tif, .zarr (OME-Zarr), "
            ".zip (ImageJ ROIs), .geojson (QuPath), a folder like 01_RES (Cell Tracking "
            "Challenge), or IMAGE.zarr/labels/NAME (inside the OME-Zarr of the image).",
            show_default=False,
        ),
    ],
    *,
    wish: Annotated[
        FormatName | None,
        typer.Option("--format", help="The format, where the name of OUT does not say it."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE",
            help="Image of the labels: gives axes and pixel size, and its grey values are "
            "measured for QuPath.",
        ),
    ] = None,
    axes: AxesWish = None,
    channels: ChannelsWish = None,
    position: PositionWish = None,
    json: AsJson = False,
) -> None:
    """Write labels for other programs: ImageJ, QuPath, the Cell Tracking Challenge, OME-Zarr.

    Files appear once all are whole; Ctrl-C leaves none.
    """
    from napari_unet.cli.convert import convert_files
    from napari_unet.io.labels import LabelFormat
    from napari_unet.io.stack import View

    if wish is not None and len(outputs) > 1:
        raise typer.BadParameter("--format goes with one OUT; let the names of several say it.")
    with stop_on_signal("nothing is written.") as stop:
        figures = convert_files(
            labels,
            outputs,
            wish=None if wish is None else LabelFormat(wish.value),
            image=image,
            view=View(position, axes, channels or ()),
            stop=stop,
        )
    if figures:
        show(figures, as_json=json)
    stop.exit_if_requested()
