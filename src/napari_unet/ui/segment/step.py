"""The step Segment: what, as what, the button, and how far it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from napari.layers import Image
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_unet.config import PRESETS, NetworkConfig, OutputKind, preset_of
from napari_unet.engine.counts import count
from napari_unet.io.kept_record import Basis
from napari_unet.ui.layers.geometry import spatial_shape
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.folded import FoldedSettings
from napari_unet.ui.parts.missed import MissedButton
from napari_unet.ui.parts.offer_line import OfferLine
from napari_unet.ui.parts.pickers import Picker
from napari_unet.ui.parts.settings import SettingsForm, narrow_form
from napari_unet.ui.parts.settings import SettingWords as Words
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import PlainLabel, Text
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment.control import Scope, Segmentation
from napari_unet.ui.segment.files_control import SegmentingFiles
from napari_unet.ui.segment.files_dialog import FilesButton, HowToSegment
from napari_unet.ui.segment.recovery import SegmentRecovery
from napari_unet.ui.workbench import CurrentModel, Workbench

TILING = {
    "tile": Words(
        "Tile, px",
        "Side of a tile. The result is the same.",
        64,
        zero_is_none=True,
        zero_text="auto",
    ),
    "rotations": Words(
        "Rotations averaged", "7 is as in the paper of 2015, and 7 times slower.", 1, 1, 16
    ),
}

OBJECTS = {
    "neck": Words(
        "Pieces",
        "Too many objects are cut in two: move it left. Touching objects are taken for one: move "
        "it right. The last result is cut anew at once, without predicting again.",
        0.05,
        0,
        0.95,
        ends=("fewer", "more"),
    ),
    "threshold": Words(
        "Threshold", "Foreground probability from which a pixel is object.", 0.05, 0.01, 0.99
    ),
    "min_size": Words(
        "Smallest object, px",
        "Smaller objects are dropped. auto: by the size of the painted objects.",
        8,
        zero_is_none=True,
        zero_text="auto",
    ),
    "fill_holes": Words("Fill holes", "Fill holes inside objects."),
    "largest_hole": Words(
        "Largest hole, px",
        "Larger holes stay open. auto: all are filled, unless the painted objects have holes.",
        8,
        zero_is_none=True,
        zero_text="auto",
    ),
    "gap": Words("Grow, px", "Gives the trained gap back to the objects.", 1, 0, 10),
    "link": Words(
        "Link planes",
        "The same object keeps its number from plane to plane.",
    ),
    "link_along": Words(
        "Link along", "z and t together, or only one of them: along the other, objects stay apart."
    ),
}

PAINT = {
    "overrides": Words(
        "Paint overrides",
        "What you painted is shown and exported as painted: objects whole and apart, background "
        "empty. For labels in which unpainted is ignored.",
    ),
}

_SCOPES = {
    "This plane": Scope.PLANE,
    "Whole stack": Scope.STACK,
    "Selected layers": Scope.LAYERS,
}
_KINDS = {
    "Labels": OutputKind.LABELS,
    "Classes": OutputKind.CLASSES,
    "Probabilities": OutputKind.PROBABILITIES,
}
_TOOLTIP = "Results appear tile by tile, those in view first; stop at any time and go on later."


@dataclass(frozen=True, slots=True)
class PaintSettings:
    """What the paint does to a result."""

    overrides: bool = True


class SegmentStep(Step):
    """Segments into layers of their own; a second press goes on where it was stopped."""

    def __init__(
        self,
        workbench: Workbench,
        segmentation: Segmentation,
        recovery: SegmentRecovery,
        files: SegmentingFiles,
    ) -> None:
        super().__init__(workbench, "Segment")
        self.segmentation = segmentation
        self.scope = Picker(
            "The shown plane, all planes, or the layers selected in the layer list."
        )
        self.kind = Picker(
            "Labels: one number per object. Classes: one number per class. Probabilities: 0 to 1."
        )
        self._preset = PRESETS["light"]  # whose values the forms were set to
        self.tiling = SettingsForm(self._preset.tiling, TILING)
        self.objects = SettingsForm(self._preset.objects, OBJECTS)
        self.paint = SettingsForm(PaintSettings(), PAINT)
        self.start = QPushButton()
        self.pause = QPushButton("Pause")
        self.anew = QPushButton("Start over")
        self.missed = MissedButton(workbench.viewer, lambda: segmentation.missed)
        self.hint = Text()
        self.body.addWidget(OfferLine(recovery))
        self._build(files)
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Show what a press would do, or why it cannot."""
        self._follow(self.workbench.choices.start)
        running = self.segmentation.is_running
        reason = self.segmentation.why_not(self.scope.value)
        missing = None
        if not running:
            overrides = self.paint.value().overrides
            tiling, objects = self.tiling.value(), self.objects.value()
            wish = self.scope.value, self.kind.value, tiling, objects
            missing = self.segmentation.missing(*wish, overrides=overrides)
        self.start.setText(self._button_text(missing))
        set_ready(self.start, reason, _TOOLTIP)
        self.hint.setText(reason or "")
        self.hint.setVisible(reason is not None and not running)
        self.anew.setVisible(missing is not None)
        set_ready(self.anew, reason, "Forget what is finished and segment all planes again.")
        self._show_pause()
        self.missed.refresh()
        self.tell(self.segmentation.summary)

    def release(self) -> None:
        """Let go of the viewer."""
        self._selection_changed().disconnect(self._on_selection_changed)
        self.segmentation.went_on.disconnect(self._on_went_on)
        self.segmentation.told.disconnect(self.refresh)

    def _follow(self, start: NetworkConfig | CurrentModel) -> None:
        """Show the settings that go with this network; changes stay until another is chosen."""
        preset = preset_of(start.model.network if isinstance(start, CurrentModel) else start)
        if preset is not self._preset:
            self._preset = preset
            self.tiling.set_value(preset.tiling)
            self.objects.set_value(preset.objects)

    def _build(self, files: SegmentingFiles) -> None:
        self.scope.offer(_SCOPES)
        self.scope.value = Scope.STACK
        self.kind.offer(_KINDS)
        rows = narrow_form()
        for text, picker in (("What", self.scope), ("Output", self.kind)):
            label = PlainLabel(text)
            label.setBuddy(picker)
            label.setToolTip(picker.toolTip())
            picker.setAccessibleName(text)
            rows.addRow(label, picker)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start, stretch=1)
        buttons.addWidget(self.pause)
        buttons.addWidget(self.anew)
        self.body.addLayout(rows)
        self.body.addLayout(buttons)
        self.body.addWidget(self.missed)
        self.body.addWidget(self.hint)
        self.body.addWidget(
            FilesButton(
                files,
                lambda: HowToSegment(self.kind.value, self.tiling.value(), self.objects.value()),
            )
        )
        self.body.addWidget(FoldedSettings("Advanced", self.objects, self.tiling, self.paint))

    def _connect(self) -> None:
        self.scope.picked.connect(self.refresh)
        self.kind.picked.connect(self.refresh)
        self.tiling.when_changed(self.refresh)
        self.objects.when_changed(self.refresh)
        self.objects.when_changed(self._on_pieces_changed, "neck")
        self.paint.when_changed(self.refresh)
        self.start.clicked.connect(self._on_start_clicked)
        self.anew.clicked.connect(self._on_anew_clicked)
        self.pause.clicked.connect(self._on_pause_clicked)
        self.segmentation.told.connect(self.refresh)
        self.segmentation.went_on.connect(self._on_went_on)
        self._selection_changed().connect(self._on_selection_changed)

    def _selection_changed(self) -> Any:
        return self.workbench.viewer.layers.selection.events.changed

    def _button_text(self, missing: int | None) -> str:
        if missing is not None:
            return f"Continue: {count(missing, 'plane')} left"
        match self.scope.value:
            case Scope.PLANE:
                return "Segment this plane"
            case Scope.STACK:
                is_one = _is_one_plane(self.workbench.choices.image)
                return "Segment image" if is_one else "Segment stack"
        layers = len(self.segmentation.targets(Scope.LAYERS))
        return f"Segment {count(layers, 'layer')}" if layers else "Segment selected layers"

    def _show_pause(self) -> None:
        state = self.workbench.runner.state
        paused = state is JobState.PAUSED
        self.pause.setVisible(self.segmentation.is_running)
        self.pause.setText("Resume" if paused else "Pause")
        stopping = "It is being stopped." if state is JobState.CANCELLING else None
        tooltip = "Go on with the next tile." if paused else "Wait after the current tile."
        set_ready(self.pause, stopping, tooltip)

    def _on_start_clicked(self) -> None:
        self._run(anew=False)

    def _on_anew_clicked(self) -> None:
        self._run(anew=True)

    def _run(self, *, anew: bool) -> None:
        self.refresh()  # things may have changed without a signal
        if not self.start.isEnabled():
            return
        self.segmentation.start(
            self.scope.value,
            self.kind.value,
            self.tiling.value(),
            self.objects.value(),
            overrides=self.paint.value().overrides,
            anew=anew,
        )

    def _on_went_on(self, basis: Basis) -> None:
        """Show what goes on, so that it can be stopped and continued as any other."""
        self.scope.value, self.kind.value = Scope.STACK, basis.kind
        self.tiling.set_value(basis.tiling)
        self.objects.set_value(basis.objects)

    def _on_pause_clicked(self) -> None:
        if self.workbench.runner.state is JobState.PAUSED:
            self.segmentation.resume()
        else:
            self.segmentation.pause()

    def _on_pieces_changed(self) -> None:
        self.segmentation.pieces.cut_at(self.objects.value().neck)

    def _on_selection_changed(self) -> None:
        if self.scope.value is Scope.LAYERS:
            self.refresh()


def _is_one_plane(image: Image | None) -> bool:
    return image is not None and math.prod(spatial_shape(image)[:-2]) == 1
