"""What a package of bioimage.io says in words, and whom it cites."""

from __future__ import annotations

from napari_unet import __version__
from napari_unet.config import Task
from napari_unet.engine.counts import count
from napari_unet.engine.network import Model, SharedNetwork
from napari_unet.io.shared_models import output_names

_METHOD = {
    "text": "Ronneberger, Fischer, Brox 2015: U-Net",
    "doi": "10.1007/978-3-319-24574-4_28",
}
_PRETRAINING = (  # as src/napari_unet/weights/light.md lists them
    {"text": "Caicedo et al. 2019: DSB2018, BBBC038, CC0", "doi": "10.1038/s41592-019-0612-7"},
    {"text": "Ljosa et al. 2012: BBBC039, CC0, BBBC030, CC BY 3.0", "doi": "10.1038/nmeth.2083"},
    {"text": "Koos et al. 2016: BBBC030, CC BY 3.0", "doi": "10.1038/srep30420"},
    {"text": "Tsai et al. 2019: Usiigaci, MIT", "doi": "10.1016/j.softx.2019.02.007"},
    {"text": "Zaimi et al. 2018: AxonDeepSeg, MIT", "doi": "10.1038/s41598-018-22181-4"},
    {
        "text": "FlyEM project, Janelia: neuroproof_examples, CC BY 3.0",
        "url": "https://github.com/janelia-flyem/neuroproof_examples",
    },
)


def citations(model: Model) -> list[dict[str, str]]:
    """Return the paper of the method, and those of the data that the weights were made from."""
    return [_METHOD, *(_PRETRAINING if _is_pretrained(model) else ())]


def describe_in_a_line(model: Model) -> str:
    """Return what the model is for."""
    if model.task is Task.CLASSES:
        return f"A 2D U-Net trained with U-Net Paint; it tells {len(model.values)} classes apart."
    shapes = ", and the field of their shapes" if model.network.shape_field else ""
    return f"A 2D U-Net trained with U-Net Paint; it finds objects{shapes}."


def readme(model: Model, network: SharedNetwork) -> str:
    """Return the page about a model, in Markdown."""
    parts = [
        f"# A model of U-Net Paint {__version__}",
        "## What comes out",
        _outputs(model),
        "## What goes in",
        _input(network),
        "## Training",
        _training(model),
        "## Validation",
        _validation(model),
    ]
    return "\n\n".join(parts) + "\n"


def _outputs(model: Model) -> str:
    names = output_names(model)
    listed = ", ".join(f"`{name}`" for name in names)
    text = f"An image as large as the one given, with {count(len(names), 'channel')}: {listed}. "
    classes = names[: model.network.classes]
    text += f"The first {len(classes)} are probabilities, which add up to 1 in each pixel."
    if model.network.shape_field:
        text += (
            " `shape` rises from 0 at an object's outline to 1 in its middle. Objects that touch "
            "are cut where it has its passes: take its maxima as seeds of a watershed within "
            "`objects` ≥ 0.5. A threshold alone leaves them together. U-Net Paint cuts by itself."
        )
    return text


def _input(network: SharedNetwork) -> str:
    return (
        f"A plane of {count(network.channels, 'channel')}, at least {network.smallest} px high and "
        f"wide. Tiles begin at multiples of {network.step} px, and {network.halo} px of their rims "
        "are cut off; beyond the image, it is mirrored. Grey values are scaled so that the 0.5 and "
        "99.5 percentiles of each channel are 0 and 1. (U-Net Paint measures that range on typical "
        "planes of a stack, without bars and specks: give your program a stack that is evenly "
        "bright, or scale it yourself.)"
    )


def _training(model: Model) -> str:
    record = model.record
    if not record.labelled_pixels:
        return f"As it comes with U-Net Paint: {record.start}, {count(record.steps, 'step')}."
    began = f"beginning with {record.start}" if _is_pretrained(model) else "from random weights"
    return (
        f"Trained on {record.started[:10]} for {count(record.steps, 'step')} on "
        f"{count(record.labelled_pixels, 'painted pixel')}, {began}."
    )


def _validation(model: Model) -> str:
    if model.record.validation_iou is None:
        return "Nothing was held out of the training; compare results with labels of your own."
    return f"IoU {model.record.validation_iou:.3f} on painted pixels that were held out."


def _is_pretrained(model: Model) -> bool:
    return "scratch" not in model.record.start and "elsewhere" not in model.record.start
