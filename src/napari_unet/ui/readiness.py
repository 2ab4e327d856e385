"""What can be done now; if not, why, and what to do. Buttons and their hints both ask here."""

from __future__ import annotations

from dataclasses import dataclass

from napari.layers import Image, Labels

from napari_unet.ui.jobs.runner import JobState
from napari_unet.ui.layers.inputs import why_no_image, why_no_labels

__all__ = ["Readiness"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each method returns None if the action can run, else one sentence."""

    state: JobState
    job: str  # what runs, in words
    image: Image | None
    labels: Labels | None
    result: Labels | None  # chosen for export
    has_device: bool
    has_model: bool

    def why_not_train(self) -> str | None:
        """Train on labels."""
        reason = self._busy() or self._no_device() or why_no_image(self.image)
        if reason is None and self.image is not None:
            reason = why_no_labels(self.labels, self.image)
        return reason

    def why_not_segment(self) -> str | None:
        """Segment the stack."""
        reason = self._busy() or self._no_device() or why_no_image(self.image)
        if reason is None and not self.has_model:
            reason = "Train on labels first, or open a model."
        return reason

    def why_not_export(self) -> str | None:
        """Export label TIFFs."""
        reason = self._busy()
        if reason is None and self.result is None:
            reason = "Nothing to export yet: segment the stack first."
        return reason

    def why_not_save(self) -> str | None:
        """Save the model."""
        reason = self._busy()
        if reason is None and not self.has_model:
            reason = "There is no model to save yet: train on labels first."
        return reason

    def why_not_open(self) -> str | None:
        """Open a model."""
        return self._busy()

    def why_not_new_labels(self) -> str | None:
        """Make a labels layer; possible at any time."""
        return why_no_image(self.image)

    def why_not_stop(self) -> str | None:
        """Stop the job."""
        if self.state is JobState.IDLE:
            return "Nothing is running."
        if self.state is JobState.CANCELLING:
            return "Stopping; the current step or tile is being finished."
        return None

    def _busy(self) -> str | None:
        if self.state is JobState.IDLE:
            return None
        return f"{self.job}… wait, or press Stop."

    def _no_device(self) -> str | None:
        return None if self.has_device else "PyTorch could not be loaded; see below."
