"""The commands about one's models and their options."""
# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_unet.cli.options import AsJson, ModelName
from napari_unet.cli.usage import Commands, Sentences
from napari_unet.io.model_formats import LICENSE, Credits, SharedFormat

models = Commands(
    cls=Sentences,
    help="List, show, import, export, rename and delete your models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@models.command("list")
def list_models(*, json: AsJson = False) -> None:
    """List the bundled models and yours."""
    from napari_unet.cli.models import list_all

    list_all(as_json=json)


@models.command("show")
def show_model(model: ModelName, *, json: AsJson = False) -> None:
    """Show how a model came about."""
    from napari_unet.cli.models import show_one

    show_one(model, as_json=json)


@models.command("import")
def import_model(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A model's file, or a bioimage.io package (.zip).",
            show_default=False,
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the file's name.")
    ] = None,
) -> None:
    """Copy a model among your own, to be used by its name."""
    from napari_unet.cli.models import import_file

    import_file(file, name=name)


@models.command("export")
def export_model(
    model: ModelName,
    file: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="File or folder to write it to.", show_default=False),
    ],
    *,
    form: Annotated[
        SharedFormat | None,
        typer.Option(
            "--format",
            help="Default: by the name's ending (.zip, .onnx, .pt), else a copy.",
            show_default=False,
        ),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Author of a package; may be repeated."),
    ] = None,
    license_: Annotated[
        str, typer.Option("--license", metavar="SPDX", help="Licence of a package.")
    ] = LICENSE,
) -> None:
    """Copy a model to another place, or write it for other programs."""
    from napari_unet.cli.models import export_file

    named = Credits(authors=tuple(author or ()), license=license_)
    export_file(model, file, form=form, named=named)


OwnName = Annotated[
    str, typer.Argument(metavar="NAME", help="One of your models.", show_default=False)
]


@models.command("rename")
def rename_model(
    name: OwnName,
    new_name: Annotated[
        str, typer.Argument(metavar="NEW-NAME", help="Its name from now on.", show_default=False)
    ],
) -> None:
    """Give one of your models another name."""
    from napari_unet.cli.models import rename_file

    rename_file(name, new_name)


@models.command("delete")
def delete_model(name: OwnName) -> None:
    """Delete one of your models; for 30 days it can be brought back."""
    from napari_unet.cli.models import delete_file

    delete_file(name)
