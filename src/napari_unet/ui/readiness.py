"""What can be done now; if not, why, and what to do. Buttons and their hints both ask here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari.layers import Image

from napari_unet.engine.counts import count
from napari_unet.ui.layers.inputs import why_no_image, why_no_labels
from napari_unet.ui.layers.paint_count import PaintCount, why_not_enough
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import Choices, Taught, Workbench


def _channels(images: Sequence[Image]) -> int:
    return sum(3 if image.rgb else 1 for image in images)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each method returns None if the action can run, else one sentence."""

    state: JobState
    job: str  # what runs, in words
    choices: Choices
    has_device: bool
    painted: PaintCount | None = None  # None: not counted yet
    taught: Taught | None = None  # None: what is chosen

    @staticmethod
    def of(workbench: Workbench) -> Readiness:
        """Return how things stand now."""
        runner = workbench.runner
        has_device = workbench.device is not None
        return Readiness(
            runner.state,
            runner.job_name,
            workbench.choices,
            has_device,
            workbench.painted,
            workbench.taught,
        )

    def why_not_start(self) -> str | None:
        """Start any job."""
        if self.state is JobState.IDLE:
            return None
        if self.state is JobState.CANCELLING:
            return f"{self.job}… it is being stopped."
        return f"{self.job}… wait, or press Stop."

    def why_no_image(self) -> str | None:
        """Use the chosen image."""
        if not self.choices.images:
            return "Open an image first."  # how is said in the step Image
        return why_no_image(self.choices.images)

    def why_no_labels(self) -> str | None:
        """Use the chosen labels with the chosen image."""
        return self.why_no_image() or why_no_labels(self.choices.labels, self.choices.images)

    def why_no_paint(self) -> str | None:
        """Learn from the chosen labels; what is not counted yet is no hindrance."""
        choices, reason = self.choices, self.why_no_labels()
        if reason or self.painted is None:
            return reason
        return why_not_enough(self.painted, choices.scheme)

    def why_not_train(self) -> str | None:
        """Train on labels."""
        reason = self.why_not_start() or self._no_device() or self.why_not_learn()
        return reason or self._other_channels(learns=True)

    def why_not_learn(self) -> str | None:
        """Learn from all images that are ticked; as `why_no_paint` where only one is known."""
        taught = self.taught
        if taught is None:
            return self.why_no_paint()
        if not taught.pairs:
            return "Tick at least one image to train on."
        channels = {_channels(pair.images) for pair in taught.pairs}
        if len(channels) > 1:
            return "The ticked images have different channels: untick those that differ."
        if taught.painted is None:
            return None
        return why_not_enough(taught.painted, self.choices.scheme)

    def why_not_segment(self) -> str | None:
        """Segment with the chosen model."""
        reason = self.why_not_start() or self._no_device() or self.why_no_image()
        return reason or self._no_model() or self._other_channels()

    def why_not_segment_files(self) -> str | None:
        """Segment files with the chosen model, whatever image is open."""
        return self.why_not_start() or self._no_device() or self._no_model()

    def _no_device(self) -> str | None:
        return None if self.has_device else "PyTorch could not be loaded; see below."

    def _no_model(self) -> str | None:
        if self.choices.model is None:
            return "Train on labels first, or choose a model."
        return None

    def _other_channels(self, *, learns: bool = False) -> str | None:
        """Use a model on these channels; one of a single channel can learn to use more."""
        if self.choices.model is None:
            return None
        images = self.choices.images
        if learns and self.taught is not None and self.taught.pairs:
            images = self.taught.pairs[0].images
        has = _channels(images)
        knows = self.choices.model.network.in_channels
        if has == knows or (learns and knows == 1):
            return None
        cure = "train it on this image, or choose" if knows == 1 else "choose"
        return (
            f"The image has {count(has, 'channel')}, but the model was trained on {knows}; "
            f"{cure} another one under Start from."
        )
