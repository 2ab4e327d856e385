"""The methods paragraph says what was done, in order, and nothing that was not."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.records import record
from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.io.methods_text import CITATION, methods_text
from napari_unet.io.provenance import Training


def test_a_paragraph_and_the_reference() -> None:
    text, reference = methods_text(record()).split("\n\n")
    assert reference == CITATION
    assert text == (
        "Objects were segmented with a U-Net (Ronneberger et al., 2015) in U-Net Paint "
        "(napari-unet-paint 0.1 with PyTorch 2.13.0). The network 'my model' (4 levels, 24 "
        "channels at full resolution; weights 01234567) was trained for 200 steps (60 s) on 9,000 "
        "labelled pixels of 'plate 3', with 4 whole objects, starting from pretrained weights "
        "(light); the weights of step 150 were kept. Images were predicted with the overlap-tile "
        "strategy, mirrored at their borders, and averaged over 7 rotated versions of the image. "
        "Pixels with a foreground probability of at least 0.5 were divided into objects (cut "
        "parameter 0.7); objects of fewer than 20 pixels were dropped. Where labels had been "
        "painted by hand, these were kept in place of the prediction. The result was then "
        "reviewed, and 1 of 3 "
        "planes was corrected by hand. Computation ran on a CPU (1 thread) on 2026-12-01."
    )


def test_what_was_not_done_is_not_said() -> None:
    made = replace(
        record(), painted=None, corrected=(), tiling=TilingConfig(), objects=ObjectsConfig(neck=0)
    )
    text = methods_text(made)
    for word in ("by hand", "rotated", "cut parameter", "dropped"):
        assert word not in text


def test_classes_and_probabilities_are_no_objects() -> None:
    for kind, begin in (
        (OutputKind.CLASSES, "Regions were segmented"),
        (OutputKind.PROBABILITIES, "Class probabilities were predicted"),
    ):
        text = methods_text(replace(record(), kind=kind))
        assert text.startswith(f"{begin} with a U-Net")
        assert "divided into objects" not in text


def test_how_the_network_came_about_is_said_of_every_kind() -> None:
    def said(training: Training) -> str:
        return methods_text(replace(record(), model=replace(record().model, training=training)))

    assert "was not trained" in said(Training())
    distributed = Training(start="pretrained on synthetic and real microscopy", steps=6000)
    words = "used as distributed, pretrained on synthetic and real microscopy (6,000 steps)."
    assert words in said(distributed)
    scratch = Training(start="light, from scratch", steps=1, labelled_pixels=5)
    assert "for 1 step (0 s) on 5 labelled pixels, starting from random weights." in said(scratch)
    fine = Training(start="light, after 6,000 steps (2026-11-30T19:45:41+00:00)", steps=1)
    fine = replace(fine, labelled_pixels=5)
    assert "starting from pretrained weights (light, after 6,000 steps)." in said(fine)
