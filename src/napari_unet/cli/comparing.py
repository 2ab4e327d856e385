"""The commands that compare a result: with itself made again, and with the truth."""
# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_unet.cli.console import say, show, stop_on_signal
from napari_unet.cli.options import (
    STACK,
    AsJson,
    DeviceName,
    DeviceWish,
    LabelledPlaneWish,
    TaskWish,
    UnpaintedWish,
)
from napari_unet.config import Task, Unpainted


def repeat(
    result: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT.json",
            help="The record that was written beside a result, or the result.",
            show_default=False,
        ),
    ],
    *,
    image: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Where the image is now.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Where the model is now.")
    ] = None,
    painted: Annotated[
        Path | None,
        typer.Option(metavar="LABELS", help="The painted labels that overrode the prediction."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="OUT.tif|OUT.zarr", help="File for the new result.")
    ] = None,
    methods: Annotated[
        bool,
        typer.Option(
            "--methods", help="Print a paragraph for the methods section of a paper, no more."
        ),
    ] = False,
    device: DeviceWish = DeviceName.AUTO,
    json: AsJson = False,
) -> None:
    """Segment again as a result was made, and compare.

    Exit status 0 if every pixel is the same, 1 if not. Image and model must be those that were
    used; planes that were corrected by hand are not compared.
    """
    from napari_unet.cli.repeat import Inputs, repeat_segmentation, tell_methods, tell_outcome

    if methods:
        typer.echo(tell_methods(result))
        return
    with stop_on_signal("the planes done so far are being compared.") as stop:
        figures = repeat_segmentation(
            result, Inputs(image, model, painted), output=output, device=device, stop=stop
        )
    show(figures, as_json=json)
    say(tell_outcome(figures))
    stop.exit_if_requested()
    if not figures["identical"]:
        raise typer.Exit(1)


def evaluate(
    prediction: Annotated[
        Path, typer.Argument(metavar="PREDICTION", help=f"Labels: {STACK}.", show_default=False)
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH", help="True labels, which may lack planes.", show_default=False
        ),
    ],
    *,
    task: TaskWish = Task.OBJECTS,
    unpainted: UnpaintedWish = Unpainted.BACKGROUND,
    planes: LabelledPlaneWish = None,
    json: AsJson = False,
) -> None:
    """Compare a segmentation with its truth."""
    from napari_unet.cli.evaluate import compare

    show(compare(prediction, truth, task=task, unpainted=unpainted, selection=planes), as_json=json)
