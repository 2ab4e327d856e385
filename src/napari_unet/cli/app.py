"""The commands and their options.

What a command does is in the module of its name, which is imported when it runs: torch takes
seconds to import, and `--help` shall not.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_unet.cli.comparing import evaluate, repeat
from napari_unet.cli.console import show, stop_on_signal
from napari_unet.cli.converting import convert
from napari_unet.cli.models_app import models
from napari_unet.cli.options import (
    STACK,
    AnewWish,
    AsJson,
    AxesWish,
    ChannelsWish,
    ClusterWish,
    DeviceName,
    DeviceWish,
    DiameterWish,
    ImagePaths,
    LabelledPlaneWish,
    LinkAlongWish,
    LinkWish,
    NetworkName,
    PairWishes,
    PixelSizeWish,
    PlaneWish,
    PositionsWish,
    PositionWish,
    ReductionWish,
    RotationsWish,
    SmallestWish,
    SuffixWish,
    TablesWish,
    TaskWish,
    TileWish,
    TrainImage,
    TrainLabels,
    UnpaintedGuess,
    UnpaintedWish,
    ZStepWish,
)
from napari_unet.cli.usage import Commands, Sentences
from napari_unet.config import OutputKind, Task, Unpainted

app = Commands(
    cls=Sentences,
    help="U-Net Paint: segment microscopy by painting. Results go to standard output, all else to "
    "standard error. Exit status: 0 done; 1 failed, with a sentence that says why; 2 wrong usage; "
    "130 stopped by Ctrl-C and 143 by SIGTERM, with everything finished so far saved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(models, name="models")


def main() -> None:
    """Run the command that was typed."""
    app(prog_name="napari-unet")


@app.command()
def demo(
    *,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the files.")] = Path(
        "unet-paint-demo"
    ),
    seconds: Annotated[float, typer.Option(metavar="S", help="Time limit of the training.")] = 90,
    viewer: Annotated[bool, typer.Option("--viewer", help="Open the layers in napari.")] = False,
    device: DeviceWish = DeviceName.AUTO,
    json: AsJson = False,
) -> None:
    """Do the whole work on a made-up stack of cells."""
    from napari_unet.cli.demo import open_viewer, run_demo

    with stop_on_signal("the files made so far stay.") as stop:
        figures = run_demo(output, seconds=seconds, device=device, stop=stop)
    show(figures, as_json=json)
    if viewer:
        open_viewer(figures["files"])


@app.command()
def train(
    image: TrainImage = None,
    labels: TrainLabels = None,
    *,
    model: Annotated[
        Path, typer.Option(metavar="OUT.safetensors", help="File to write.", show_default=False)
    ],
    pair: PairWishes = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|FILE|scratch",
            help="What to go on from: a bundled model, one of yours, a file, or scratch; default: "
            "light, which was trained beforehand.",
        ),
    ] = None,
    network: Annotated[
        NetworkName | None, typer.Option(help="Network and recipe to start with from scratch.")
    ] = None,
    task: TaskWish = Task.OBJECTS,
    unpainted: UnpaintedGuess = None,
    planes: LabelledPlaneWish = None,
    axes: AxesWish = None,
    channels: ChannelsWish = None,
    position: PositionWish = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Time limit, seconds; default: 60, or none with --steps."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Limit in gradient updates.")
    ] = None,
    diameter: DiameterWish = None,
    reduction: ReductionWish = "auto",
    learning_rate: Annotated[
        float | None,
        typer.Option(metavar="X", help="Size of a gradient update; default: the network's."),
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Share of the painted pixels that is held out to find the best weights; default: "
            "0.2, for 2015 none.",
        ),
    ] = None,
    device: DeviceWish = DeviceName.AUTO,
    seed: Annotated[int, typer.Option(metavar="N", help="Of every random choice.", min=0)] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where an interrupted training with the same output and settings was.",
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Train a model on painted labels, of one image or of several.

    Several images of any sizes are given as two folders, or one by one with --pair; one model
    learns from all of them.

    Ctrl-C ends it early and saves the best weights so far. Until it has ended whole, OUT.unfinished
    beside the output holds all that --resume needs to go on, also after a crash.
    """
    from napari_unet.cli.settings import TrainWishes, choose_start, train_config
    from napari_unet.cli.train import for_people, train_model
    from napari_unet.io.stack import View
    from napari_unet.io.training_pairs import PairFiles

    if (image is None) != (labels is None):
        raise typer.BadParameter(f"'{image}' needs its LABELS; or use --pair IMAGE LABELS.")
    paths = [path for path in (image, labels, *(pair or ())) if path is not None]
    if len(paths) % 2:
        raise typer.BadParameter("--pair takes two words: an IMAGE and its LABELS.")
    given = [PairFiles(*two) for two in zip(paths[::2], paths[1::2], strict=True)]
    begin = choose_start(start, network)
    config = train_config(
        begin,
        seconds=seconds,
        steps=steps,
        seed=seed,
        reduction=reduction,
        diameter=diameter,
        learning_rate=learning_rate,
        validation_share=validation_share,
    )
    with stop_on_signal("the best weights so far are being saved.") as stop:
        figures = train_model(
            given,
            TrainWishes(begin, config, task, unpainted, device),
            output=model,
            selection=planes,
            view=View(position, axes, channels or ()),
            stop=stop,
            resume=resume,
        )
    show(figures if json else for_people(figures), as_json=json)
    stop.exit_if_requested()


@app.command()
def segment(
    images: ImagePaths,
    *,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="A bundled model, one of yours, or a file.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="OUT.tif|OUT.zarr|FOLDER",
            help="File to write; or folder for the results of many files, each with its name.",
            show_default=False,
        ),
    ],
    planes: PlaneWish = None,
    axes: AxesWish = None,
    channels: ChannelsWish = None,
    position: PositionsWish = None,
    tile: TileWish = None,
    rotations: RotationsWish = None,
    output_kind: Annotated[OutputKind, typer.Option(help="What to write.")] = OutputKind.LABELS,
    min_size: SmallestWish = None,
    link: LinkWish = False,
    link_along: LinkAlongWish = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="TABLE.csv", help="Measure all objects, too, into this file."),
    ] = None,
    suffix: SuffixWish = "",
    tables: TablesWish = False,
    cluster: ClusterWish = None,
    device: DeviceWish = DeviceName.AUTO,
    anew: AnewWish = False,
    json: AsJson = False,
) -> None:
    """Segment a stack with a trained model.

    The output has the planes, axes and pixel size of the image; planes that are left out are 0.
    Ctrl-C ends it early and keeps finished planes. Stopped or killed, it goes on where it was when
    the same command is run again.

    With a FOLDER as output, every image named, matched by a quoted pattern, or lying in and below a
    named folder is segmented by itself (a folder is read as one stack of planes only if the output
    is a file). What is done already is skipped, unless image, model or settings have changed; what
    fails is listed at the end, and in summary.csv. Exit status 1 if any file failed.
    """
    from napari_unet.cli.segment import open_workers, segment_measured
    from napari_unet.cli.segment_files import (
        is_folder_wanted,
        segment_into_folder,
        tell_failures,
    )
    from napari_unet.cli.settings import SegmentWishes
    from napari_unet.io.stack import View

    into_folder = is_folder_wanted(images, output)
    if table is not None and into_folder:
        raise typer.BadParameter("A folder of results has a table for each; add --tables instead.")
    if position == "all" and not into_folder:
        raise typer.BadParameter("--position all goes with a FOLDER as output.")
    if (suffix or tables) and not into_folder:
        raise typer.BadParameter("--suffix and --tables go with a FOLDER as output.")
    wishes: dict[str, Any] = {
        "model": model,
        "selection": planes,
        "view": View(position, axes, channels or ()),
        "wishes": SegmentWishes(tile, rotations, min_size, link, link_along),
        "kind": output_kind,
        "device": device,
        "anew": anew,
    }
    with (
        stop_on_signal("the finished planes are being saved.") as stop,
        open_workers(cluster, device) as wishes["others"],
    ):
        if into_folder:
            done = segment_into_folder(images, output, stop, suffix=suffix, tables=tables, **wishes)
            figures = done.figures
        else:
            figures = segment_measured(images[0], output, table, stop, **wishes)
    show(figures, as_json=json)
    stop.exit_if_requested()
    if figures.get("failed"):
        tell_failures(done)
        raise typer.Exit(1)


@app.command()
def measure(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help=f"{STACK}.", show_default=False)],
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="IMAGE",
            help="Image whose grey values are measured in the objects; each of its channels has "
            "columns of its own.",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="TABLE.csv", help="File to write; default: standard output."),
    ] = None,
    volumes: Annotated[
        bool,
        typer.Option(
            "--volumes", help="One row per object through all planes along Z, not one per plane."
        ),
    ] = False,
    planes: LabelledPlaneWish = None,
    axes: AxesWish = None,
    channels: ChannelsWish = None,
    position: PositionWish = None,
    pixel_size: PixelSizeWish = None,
    z_step: ZStepWish = None,
    task: TaskWish = Task.OBJECTS,
    unpainted: UnpaintedWish = Unpainted.BACKGROUND,
    json: AsJson = False,
) -> None:
    """Measure the objects of a label image: a table with one row per object and plane.

    Ctrl-C ends it early and keeps the rows of finished planes.
    """
    from napari_unet.batch.measuring import MeasureWishes
    from napari_unet.cli.measure import measure_stack
    from napari_unet.engine.paint import LabelScheme
    from napari_unet.io.stack import View

    if json and output is None:
        raise typer.BadParameter("--json prints the figures, so the table needs an --output.")
    background = LabelScheme(task, unpainted).background or 0
    wishes = MeasureWishes(
        volumes, background, View(position, axes, channels or ()), pixel_size, z_step
    )
    with stop_on_signal("the rows of the finished planes are being saved.") as stop:
        figures = measure_stack(
            labels, image, output=output, selection=planes, wishes=wishes, stop=stop
        )
    if output is not None:
        show(figures, as_json=json)
    stop.exit_if_requested()


app.command()(convert)
app.command()(repeat)
app.command()(evaluate)


@app.command()
def doctor(*, json: AsJson = False) -> None:
    """Say what computes here, and what is wrong and how to mend it."""
    from napari_unet.cli.doctor import run_doctor

    run_doctor(as_json=json)
