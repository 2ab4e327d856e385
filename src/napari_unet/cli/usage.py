"""Help as one types it: `napari-unet train IMAGE LABELS --model OUT.safetensors [OPTIONS]`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from napari_unet.cli.console import say, saying_warnings
from napari_unet.engine.errors import NO_MEMORY, UnetPaintError

PAIR = "--pair"
"""An option with two words behind it, any number of times; typer knows only one or the other."""


class _Command(TyperCommand):
    """Writes the usage with all that must be typed, and arguments without braces and types."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed; `--pair A B` as `--pair A --pair B`."""
        words = iter(args)
        read: list[str] = []
        for word in words:
            read.append(word)
            if word == PAIR:
                read += islice(words, 1)
                for second in islice(words, 1):
                    read += [PAIR, second]
        return super().parse_args(ctx, read)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return arguments, options that are required, and a word for all others."""
        arguments: list[str] = []
        options: list[str] = []
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                pieces = parameter.get_usage_pieces(ctx)
                arguments += [piece.replace("{", "").replace("}", "") for piece in pieces]
            elif parameter.required:
                options.append(f"{parameter.opts[0]} {parameter.metavar}")
        return [*arguments, *options, str(self.options_metavar)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what each argument and option is."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            parameters = [p for p in self.get_params(ctx) if p.param_type_name == kind]
            records = [record for p in parameters if (record := p.get_help_record(ctx))]
            if kind == "argument":
                records = [(name.split(" <")[0], text) for name, text in records]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Sentences(TyperGroup):
    """Ends every failure that a person can mend with its one sentence and status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed; a failure becomes its sentence."""
        try:
            with saying_warnings():
                return super().invoke(ctx)
        except UnetPaintError as error:
            say(f"Error: {error}")
            raise typer.Exit(1) from error
        except MemoryError as error:
            say(f"Error: {NO_MEMORY}")
            raise typer.Exit(1) from error


class Commands(typer.Typer):
    """Commands with such a help."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Add a command."""
        return super().command(name, cls=_Command, **options)
