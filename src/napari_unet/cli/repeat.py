"""Do a segmentation again as its record says, and tell whether the result is the same."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from napari_unet.cli.console import Interruption, progress_bar, say
from napari_unet.config import OutputKind, Task
from napari_unet.engine.counts import count
from napari_unet.engine.errors import CheckpointError, FileError, SettingsError
from napari_unet.engine.events import PlaneDone, SegmentEvent, TileDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.prediction import SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes, Planes, bands
from napari_unet.io.checkpoints import load_model
from napari_unet.io.hashes import join_hashes, model_hash, paint_hash, stack_hash
from napari_unet.io.images import ImageStack, open_image, open_images
from napari_unet.io.labels import open_label_writer, open_probability_writer
from napari_unet.io.library import bundled_models, find_model, list_models, look_up_model
from napari_unet.io.making import Making, PlaneHashed, hashing
from napari_unet.io.methods_text import methods_text
from napari_unet.io.output_files import check_output
from napari_unet.io.pairing import open_labels_for
from napari_unet.io.paths import is_file
from napari_unet.io.provenance import Provenance, Source, UsedModel, to_text, versions
from napari_unet.io.provenance_files import read_provenance, write_beside
from napari_unet.io.stack import AS_IT_IS
from napari_unet.io.write_zarr import check_no_other_folder, create_planes

_ELSEWHERE = re.compile(r"[\\/]{2}|.*://")  # another computer: nobody has asked to call it


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was typed in place of what the record says; None: as it says."""

    image: Path | None = None
    model: str | None = None
    painted: Path | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done again: all of it has proved to be what the record tells of."""

    stack: ImageStack
    image: Path
    plan: SegmentationPlan
    used: UsedModel
    painted: Planes | None
    painted_source: Source | None

    @property
    def channels(self) -> int | None:
        """Channels of the result; None: it has no such axis."""
        model = self.plan.model
        if self.plan.kind is not OutputKind.PROBABILITIES:
            return None
        return 1 if model.task is Task.OBJECTS else len(model.values)


def tell_methods(record: Path) -> str:
    """Return the paragraph for a methods section; raises as `read_provenance` does."""
    return methods_text(_read(record)[0])


def repeat_segmentation(
    record: Path, inputs: Inputs, *, output: Path | None, device: str, stop: Interruption
) -> dict[str, Any]:
    """Segment again, compare with the result plane by plane, and return the figures.

    Planes that were corrected by hand are segmented, but not compared.

    Raises
    ------
    UnetPaintError
        If the record, the image, the model or the result is missing or is not the one recorded, or
        the work fails; the text says what to do.
    """
    if output is not None:
        check_output(output, suffixes=(".tif", ".tiff", ".zarr"), inputs=(record,))
        check_no_other_folder(output)
    made, result = _read(record)
    before = _open_result(result)
    choice = pick_device(device)
    work = _prepare(made, record.absolute().parent, inputs)
    planes = work.stack.planes()
    if (before.count, before.shape) != (planes.count, planes.shape):
        raise FileError(
            f"'{result}' has another size than '{work.image}'; it is not the result recorded."
        )
    events = segment(
        work.plan,
        planes,
        device=choice,
        numbers=made.planes,
        painted=work.painted,
        stop=stop,
    )
    making = Making(model=work.used)
    with tempfile.TemporaryDirectory(prefix="napari-unet-paint-") as folder:
        with closing(hashing(events, planes, work.painted)) as told:
            array = _follow(told, work, making, Path(folder) / "again.zarr")
        again = ArrayPlanes(array, channel_axis=None if work.channels is None else 1)
        figures = _compare(before, again, [n for n in made.untouched if n in making.hashes])
        if output is not None:
            figures["output"] = str(_write(output, again, work, making))
    left = len(made.planes) - len(making.hashes)
    if left:
        say(f"Stopped: {count(left, 'plane')} of {len(made.planes):,} left out.")
    return {
        **figures,
        "identical": not figures["different_planes"] and not left,
        "corrected_planes": len(made.corrected),
        "device": making.device,
        "device_then": made.device,
        "versions_then": _changed(made.versions, versions()),
    }


def tell_outcome(figures: dict[str, Any]) -> str:
    """Return in one sentence whether the result is identical."""
    compared = count(figures["compared_planes"], "plane")
    if figures["identical"]:
        return f"Identical: every pixel of {compared}."
    different = len(figures["different_planes"])
    if not different:
        return f"The same so far: every pixel of {compared}."
    if figures["only_numbers_differ"]:
        return (
            f"Not identical: the objects are the same, but on {different:,} of {compared} they "
            "have other numbers."
        )
    causes = [f"{name} {then}" for name, then in figures["versions_then"].items()]
    if figures["device"] != figures["device_then"]:
        causes.append(figures["device_then"])
    why = f" It was made with {', '.join(causes)}." if causes else ""
    share = figures["different_pixels"] / figures["compared_pixels"]
    return f"Not identical: {different:,} of {compared} differ, in {share:.2%} of the pixels.{why}"


def _read(path: Path) -> tuple[Provenance, Path]:
    """Return a record, and where its result lies: beside it, or it is in the result itself."""
    if path.suffix.lower() == ".json":
        return read_provenance(path), path.with_suffix("")
    return read_provenance(path), path


def _open_result(path: Path) -> Planes:
    if not path.exists():
        raise FileError(
            f"'{path.name}', the result to compare with, is not in '{path.absolute().parent}'; "
            "put it beside its record."
        )
    return open_image(path).planes()


def _prepare(made: Provenance, folder: Path, inputs: Inputs) -> _Work:
    """Find what was used, and make sure that it is still the same."""
    path, model = _find_model(made.model, folder, inputs.model)
    image = inputs.image or _known_path(made.image, folder, "image", "--image")
    stack = _same_image(made, image, model.network.in_channels)
    painted, source = None, None
    if made.painted is not None:
        labels = inputs.painted or _known_path(made.painted, folder, "painted labels", "--painted")
        painted = _same_paint(made, stack, labels)
        source = replace(made.painted, path=str(labels.absolute()))
    used = UsedModel.of(model, path.stem, path)
    plan = SegmentationPlan(model, made.objects, made.tiling, made.kind)
    return _Work(stack, image, plan, used, painted, source)


def _find_model(used: UsedModel, folder: Path, wish: str | None) -> tuple[Path, Model]:
    """Return the model that was used: by its name, where it was, or whatever it is called now."""
    if wish is not None:
        found = [find_model(wish)]
    else:
        named = None if _ELSEWHERE.match(used.name) else look_up_model(used.name)
        found = [*([named] if named else []), *_there(used.path, folder)]
    for path in found:
        model = load_model(path)
        if model_hash(model) == used.hash:
            return path, model
    for path in () if wish else (*bundled_models(), *list_models()):
        with suppress(CheckpointError):
            model = load_model(path)
            if model_hash(model) == used.hash:
                return path, model
    if found:
        raise FileError(
            f"The model '{found[0]}' is not the one that segmented, for its weights or settings "
            "differ; give the right one with --model."
        )
    raise FileError(
        f"The model '{used.name}' is neither in your library nor where it was; give its file "
        "with --model."
    )


def _known_path(source: Source, folder: Path, what: str, option: str) -> Path:
    found = _there(source.path, folder)
    if found:
        return found[0]
    where = "no file is recorded" if source.path is None else f"'{source.path}' is not there"
    raise SettingsError(f"The {what} '{source.name}' cannot be found ({where}); give {option}.")


def _there(path: str | None, folder: Path) -> list[Path]:
    """Return the path as it is from a folder, if something of this computer is there."""
    if path is None or _ELSEWHERE.match(path):
        return []
    found = folder / path
    return [found] if is_file(found) or found.is_dir() else []


def _same_image(made: Provenance, path: Path, channels: int) -> ImageStack:
    """Return the stack as it was segmented: all channels, one of them, or channels as planes."""
    view = made.image.view
    stacks = open_images(path) if view == AS_IT_IS else [open_image(path, view)]
    for one in chain.from_iterable(map(_readings, stacks)):
        planes = one.planes()
        fits = planes.channels == channels and planes.count > max(made.planes)
        if fits and stack_hash(planes, made.planes) == made.image.hash:
            return one
    raise FileError(
        f"'{path}' is not the image that was segmented, for its pixels differ; give the right "
        "one with --image."
    )


def _readings(stack: ImageStack) -> Iterator[ImageStack]:
    yield stack
    if "C" in stack.axes:
        yield stack.channels_as_planes()
        axis = stack.axes.index("C")
        for number in range(stack.array.shape[axis]):
            channel = stack.array.take(number, axis)
            yield replace(stack, array=channel, axes=stack.axes.replace("C", ""), channels=())


def _same_paint(made: Provenance, stack: ImageStack, path: Path) -> Planes:
    painted = open_labels_for(stack, path)
    hashes = {n: found for n in made.planes if (found := paint_hash(painted, n)) is not None}
    if made.painted is None or join_hashes(painted, hashes) != made.painted.hash:
        raise FileError(
            f"'{path}' does not hold what was painted when the result was made; give the right "
            "labels with --painted."
        )
    return painted


def _follow(
    events: Iterator[SegmentEvent | PlaneHashed], work: _Work, making: Making, path: Path
) -> Any:
    """Write what is final into an array (planes, [C], Y, X) in a folder, and return it."""
    planes = work.stack.planes()
    channels = () if work.channels is None else (work.channels,)
    dtype = np.uint32 if work.channels is None else np.float32
    array = create_planes(path, (planes.count, *channels, *planes.shape), dtype, None)
    with progress_bar("Segmenting again") as update:
        for event in events:
            making.note(event)
            match event:
                case TileDone():
                    update(event.done / event.total, f"plane {event.plane}")
                    if not work.plan.is_numbered:
                        array[event.plane, ..., event.y, event.x] = event.values
                case PlaneDone() if event.labels is not None:
                    for rows in bands(planes.shape):
                        array[event.plane, rows] = event.labels.rows(rows)
    return array


def _compare(before: Planes, again: Planes, numbers: list[int]) -> dict[str, Any]:
    """Hold two results against each other, plane by plane."""
    wrong, pixels, alike = [], 0, True
    columns = slice(0, before.shape[1])
    for plane in numbers:
        found = 0
        pairs: set[tuple[float, float]] = set()
        for rows in bands(before.shape):
            one, other = (part.read(plane, rows, columns) for part in (before, again))
            differs = (one != other).any(axis=0)
            found += int(differs.sum())
            if alike:
                both = np.stack([one.ravel(), other.ravel()])
                pairs.update(map(tuple, np.unique(both, axis=1).T.tolist()))
        if found:
            wrong.append(plane)
            pixels += found
            alike = alike and len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    return {
        "compared_planes": len(numbers),
        "compared_pixels": len(numbers) * before.shape[0] * before.shape[1],
        "different_planes": wrong,
        "different_pixels": pixels,
        "only_numbers_differ": bool(wrong) and alike,
    }


def _write(output: Path, again: Planes, work: _Work, making: Making) -> Path:
    """Write the new result, with its own record."""
    layout = work.stack.layout(channels=work.channels)
    open_writer = open_label_writer if work.channels is None else open_probability_writer
    provenance = making.provenance(
        work.stack.planes(),
        Source.of(work.stack, work.image),
        work.plan,
        painted=work.painted_source,
    )
    columns = slice(0, again.shape[1])
    if provenance is None:
        raise FileError(f"Stopped before the first plane was finished; '{output}' is not written.")
    with open_writer(output, layout) as writer:
        for plane in range(again.count):
            for rows in bands(again.shape):
                region = again.read(plane, rows, columns)
                writer.write(region[0] if work.channels is None else region)
        writer.note_provenance(to_text(provenance, output.absolute().parent))
    write_beside(output, provenance)
    return output


def _changed(then: Any, today: dict[str, str]) -> dict[str, str]:
    """Return the versions that were others then."""
    return {name: number for name, number in then.items() if today.get(name) != number}
