"""The job that segments many files, and its progress in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.batch.events import FilesDone, FilesProgress
from napari_unet.engine.counts import count
from napari_unet.engine.events import Stop
from napari_unet.io.batch_summary import CSV, Status
from napari_unet.ui.progress import Progress, time_left
from napari_unet.ui.workbench import CurrentModel
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.batch.files import FilesEvent
    from napari_unet.engine.network import DeviceChoice
    from napari_unet.engine.prediction import SegmentationPlan


@dataclass(frozen=True, slots=True)
class FilesWish:
    """Which files are meant, and where their results go."""

    images: tuple[Path, ...] = ()  # files, folders and patterns
    folder: Path | None = None
    suffix: str = ""
    subfolders: bool = True  # the same for the results
    tables: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FilesTask:
    """A wish, and what segments: what it takes to begin."""

    wish: FilesWish
    start: CurrentModel
    device: DeviceChoice
    plan: SegmentationPlan


def segment_chosen(task: FilesTask) -> Job:
    """Find the files and segment them; told are the events of `batch.files.segment_files`."""

    def run(stop: Stop) -> Iterator[FilesEvent]:
        from napari_unet.batch.files import segment_files  # noqa: PLC0415
        from napari_unet.batch.measuring import check_measurable  # noqa: PLC0415
        from napari_unet.batch.segmenter import Segmenter  # noqa: PLC0415
        from napari_unet.io.input_files import find_inputs  # noqa: PLC0415

        wish = task.wish
        assert wish.folder is not None
        if wish.tables:
            check_measurable(task.plan.kind)
        files = find_inputs(wish.images, wish.folder, wish.suffix, subfolders=wish.subfolders)
        segmenter = Segmenter(
            plan=task.plan,
            name=task.start.name,
            path=task.start.path,
            device=task.device,
        )
        yield from segment_files(files, wish.folder, segmenter, stop, tables=wish.tables)

    return run


def tell_progress(event: FilesProgress, seconds: float) -> Progress:
    """Return how far the files are after so many seconds of work."""
    parts = [f"{event.ended:,} of {count(event.files, 'file')}", event.state]
    parts.append(time_left(seconds, event.of_work) or "")
    return Progress(" · ".join(filter(None, parts)), event.share)


def tell_end(done: FilesDone) -> str:
    """Return what became of the files."""
    made, skipped, failed, left = (len(done.having(status)) for status in Status)
    parts = [f"{count(made, 'file')} done"]
    parts += [f"{skipped:,} done before"] if skipped else []
    parts += [f"{failed:,} failed"] if failed else []
    if left:
        return f"Stopped: {', '.join(parts)}, {left:,} left. Press Segment files to go on."
    return f"{', '.join(parts)}. The list is in {CSV}."
