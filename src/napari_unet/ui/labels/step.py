"""Step 2: the labels, what they mean, and the brush."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Labels, Layer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_unet.config import Task, Unpainted
from napari_unet.engine.counts import count as several
from napari_unet.engine.paint import LabelScheme
from napari_unet.ui.labels.autosave import Autosave
from napari_unet.ui.labels.control import Painting
from napari_unet.ui.labels.filling import FILL
from napari_unet.ui.labels.legend import Legend, entries
from napari_unet.ui.labels.recovery import Recovery, RecoveryLine
from napari_unet.ui.layers.added import other_image, purpose
from napari_unet.ui.layers.arrays import stored_in
from napari_unet.ui.layers.follower import Follower
from napari_unet.ui.layers.inputs import why_no_image, why_no_labels
from napari_unet.ui.layers.paint_count import PaintCount, why_not_enough
from napari_unet.ui.parts import keys
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.pickers import LayerPicker, Picker
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import PlainLabel, rich_tooltip
from napari_unet.ui.workbench import Choices, Workbench

_TASKS = {"Objects": Task.OBJECTS, "Classes": Task.CLASSES}
_UNPAINTED = {"is ignored": Unpainted.IGNORED, "is background": Unpainted.BACKGROUND}
_NEW = "Make an empty labels layer that lies on the image, and take the brush."
_TASK = "Objects: separate things, one number each. Classes: regions, one number per kind."
_WHAT_0_MEANS = "What the pixels mean that are not painted; ignored: paint as little as you like."
_STORED = "These labels are in the folder\n{}\nTo open them again, drag it into the window."


class LabelsStep(Step):
    """Chooses the labels and their meaning, makes new ones, and helps to paint them."""

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench, "Labels")
        self.painting = Painting(workbench)
        self.autosave = Autosave(workbench)
        self.recovery = Recovery(workbench, self.autosave)
        self.picker = LayerPicker(
            workbench.viewer, Labels, "The layer that you paint on.", self._is_offered
        )
        self.new = QPushButton("&New labels")
        self.task = Picker(_TASK)
        self.unpainted = Picker(_WHAT_0_MEANS)
        self.legend = Legend()
        self.caption = PlainLabel()
        self._keys = keys.ViewerKeys(workbench.viewer, _actions(self.painting))
        self._follower = Follower(
            self._on_layer_changed,
            "data",
            "name",
            "scale",
            "translate",
            "rotate",
            "shear",
            "affine",
        )
        self._build()
        self._connect()
        self._on_picked()

    def refresh(self) -> None:
        """Show the chosen labels, what is painted, and what to do next."""
        choices = self.workbench.choices
        self._show(choices)
        self._follower.follow([] if choices.labels is None else [choices.labels])
        rows = entries(choices.scheme, self.painting.classes)
        self.legend.show_entries(rows, choices.labels)
        self.caption.setText("\n".join(filter(None, [self._key_words(), FILL.line])))
        self.caption.setVisible(choices.labels is not None)
        set_ready(self.new, why_no_image(choices.images), _NEW)
        self.tell(self._status())

    def release(self) -> None:
        """Let go of the viewer, its keys and layers."""
        self._keys.release()
        self._follower.release()
        self.recovery.release()
        self.autosave.release()
        self.legend.release()
        self.picker.release()
        self.painting.release()

    def _build(self) -> None:
        self.task.offer(_TASKS)
        self.unpainted.offer(_UNPAINTED)
        self.task.value = self.workbench.choices.task
        self.unpainted.value = self.workbench.choices.unpainted
        self.picker.setAccessibleName("Labels")
        self.caption.setWordWrap(True)
        self.caption.setToolTip(FILL.more)
        font = self.caption.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        self.caption.setFont(font)
        layers = QHBoxLayout()
        layers.addWidget(self.picker, stretch=1)
        layers.addWidget(self.new)
        rows = narrow_form()
        rows.addRow("Task", self.task)
        rows.addRow("Unpainted", self.unpainted)
        self.body.addWidget(RecoveryLine(self.recovery))
        self.body.addLayout(layers)
        self.body.addLayout(rows)
        self.body.addWidget(self.legend)
        self.body.addWidget(self.caption)

    def _connect(self) -> None:
        for picker in (self.picker, self.task, self.unpainted):
            picker.picked.connect(self._on_picked)
        self.new.clicked.connect(self.painting.add_labels)
        self.legend.label_clicked.connect(self.painting.paint)
        self.legend.objects_clicked.connect(self.painting.paint_next_object)
        self.legend.add_clicked.connect(self._on_add_class_clicked)
        self.painting.changed.connect(self.refresh)

    def _show(self, choices: Choices) -> None:
        """Pick what was chosen elsewhere, without choosing it once more."""
        blocked = [QSignalBlocker(picker) for picker in (self.picker, self.task, self.unpainted)]
        if choices.labels is not None and choices.labels != self.picker.value:
            self.picker.offer_again()
            self.picker.value = choices.labels
        self.task.value, self.unpainted.value = choices.task, choices.unpainted
        del blocked

    def _is_offered(self, layer: Layer) -> bool:
        """Return True for the user's layers, and for a result only once it is chosen."""
        return purpose(layer) is None or layer == self.workbench.choices.labels

    def _on_picked(self) -> None:
        self.workbench.choose(
            labels=self.picker.value, task=self.task.value, unpainted=self.unpainted.value
        )
        self.refresh()

    def _on_add_class_clicked(self) -> None:
        self.legend.edit_name(self.painting.add_class())

    def _on_layer_changed(self) -> None:
        self.workbench.changed.emit()  # it may fit the image now, or no longer
        self.refresh()

    def _key_words(self) -> str:
        """Return the keys that do something for this task, in words."""
        words = {keys.BACKGROUND: "background" if self.painting.background is not None else ""}
        if self.workbench.choices.task is Task.OBJECTS:
            words[keys.NEXT_OBJECT] = "next"
        else:
            words[keys.NEXT_CLASS] = "next class"
        words[keys.ERASE] = "erase"
        bound = [
            f"{key} {word}".replace(" ", "\N{NO-BREAK SPACE}")
            for key, word in words.items()
            if word and key in self._keys
        ]
        return f"Keys: {' · '.join(bound)}" if bound else ""

    def _status(self) -> str:
        choices, painted = self.workbench.choices, self.workbench.painted
        if not choices.images:
            return "Open an image first."
        reason = why_no_labels(choices.labels, choices.images)
        if reason is not None:
            return reason
        assert choices.labels is not None
        lines = [describe_paint(painted, choices.scheme, self.workbench.held_out)]
        if choices.model is not None and choices.model.task != choices.task:
            lines.append(
                f"The model segments {choices.model.task}; training teaches it {choices.task}."
            )
        other = other_image(self.workbench.viewer, choices.labels, choices.images)
        if other is not None:
            lines.append(
                f"They belong to '{other.name}': with it they train, and they are not put into "
                f"results of '{choices.images[0].name}'. To paint on this one, press New labels."
            )
        folder = stored_in(choices.labels.data)
        if folder is not None:
            lines.append("Every stroke is saved on disk.")
        self.status.setToolTip("" if folder is None else rich_tooltip(_STORED.format(folder)))
        return "\n".join(lines)


def _actions(painting: Painting) -> dict[str, Callable[[], None]]:
    return {
        keys.BACKGROUND: painting.paint_background,
        keys.NEXT_OBJECT: painting.paint_next_object,
        keys.NEXT_CLASS: painting.paint_next_class,
        keys.ERASE: painting.erase,
    }


def describe_paint(
    count: PaintCount | None, scheme: LabelScheme, held_out: int | None = None
) -> str:
    """Return "3 planes painted · background 1,204 px · …", and what to paint to go on.

    Parameters
    ----------
    held_out
        Blocks that training keeps to validate; None: not known yet.
    """
    if count is None:
        return "Counting what is painted…"
    missing = why_not_enough(count, scheme)
    if count.planes == 0:
        return str(missing)
    kinds = count.kinds(scheme)
    facts = [f"{several(count.planes, 'plane')} painted"]
    if scheme.task is Task.OBJECTS:
        facts += [f"background {count.background(scheme):,} px", several(kinds, "object")]
    else:
        facts.append(several(kinds, "class"))
    if held_out is not None:
        facts.append(f"{several(held_out, 'block')} held out to validate")
    then = missing or count.hints.get(scheme)
    return " · ".join(facts) + (f". {then}" if then else "")
