"""OME-XML tells spacing, channels and files; where it is damaged the pixels open without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io.failures import FileWarning
from napari_unet.io.read_tiff import open_tiff
from napari_unet.io.stack import Channel

Grey = npt.NDArray[np.uint16]


def write_images(folder: Path, grey: Grey, images: Sequence[Sequence[str]]) -> None:
    """Write one plane per file, and into each the OME-XML of all images."""
    names = [name for image in images for name in image]
    uuids = {name: f"urn:uuid:{n:08}-0000-0000-0000-000000000000" for n, name in enumerate(names)}
    text = "".join(
        f'<Image ID="Image:{n}"><Pixels ID="Pixels:{n}" DimensionOrder="XYZTC" Type="uint16" '
        f'SizeX="52" SizeY="40" SizeZ="1" SizeC="1" SizeT="{len(image)}" PhysicalSizeZ="{n + 1}">'
        + "".join(
            f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
            f'<UUID FileName="{name}">{uuids[name]}</UUID></TiffData>'
            for t, name in enumerate(image)
        )
        + "</Pixels></Image>"
        for n, image in enumerate(images)
    )
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    for name, plane in zip(names, grey, strict=False):
        xml = f'<?xml version="1.0"?><OME xmlns="{schema}" UUID="{uuids[name]}">{text}</OME>'
        tifffile.imwrite(folder / name, plane, description=xml, metadata=None, compression="zlib")


def test_an_image_may_lie_in_several_files(tmp_path: Path, grey: Grey) -> None:
    write_images(tmp_path, grey, [["a.ome.tif", "b.ome.tif", "c.ome.tif"]])
    for name in ("a", "c"):
        stack = open_tiff(tmp_path / f"{name}.ome.tif")
        assert (stack.axes, stack.name) == ("TYX", name)
        np.testing.assert_array_equal(np.asarray(stack.array), grey[:3])


def test_a_missing_file_is_named_and_gives_no_black_planes(tmp_path: Path, grey: Grey) -> None:
    write_images(tmp_path, grey, [["a.ome.tif", "b.ome.tif", "c.ome.tif"]])
    (tmp_path / "b.ome.tif").unlink()
    sentence = (
        r"a.ome.tif' is one of 3 files of an image, and 'b.ome.tif' is missing beside it; copy"
    )
    with pytest.raises(FileError, match=sentence):
        open_tiff(tmp_path / "a.ome.tif")


def test_a_plane_of_another_size_or_kind_is_told(tmp_path: Path, grey: Grey) -> None:
    write_images(tmp_path, grey, [["a.ome.tif", "b.ome.tif"]])
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tif:
        text = str(tif.ome_metadata)
    for other in (grey[1, :20], grey[1].astype(np.float32)):
        tifffile.imwrite(tmp_path / "b.ome.tif", other, description=text, metadata=None)
        stack = open_tiff(tmp_path / "a.ome.tif")
        with pytest.raises(FileError, match=r"a.ome.tif' holds planes of 40×52 uint16 and of "):
            np.asarray(stack.array)


@pytest.mark.parametrize("place", ["..", "D:\\data"])
def test_files_elsewhere_are_not_looked_for(place: str, tmp_path: Path, grey: Grey) -> None:
    folder = tmp_path / "cells"
    folder.mkdir()
    (folder / "D:\\data").mkdir()
    for at in (tmp_path, folder / "D:\\data"):
        tifffile.imwrite(at / "b.ome.tif", grey[1])
    elsewhere = f"{place}/b.ome.tif"
    write_images(folder, grey, [["a.ome.tif", elsewhere]])
    with pytest.raises(FileError, match=r"b.ome.tif' is missing beside it"):
        open_tiff(folder / "a.ome.tif")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the folders and files that tifffile opens."""
    seen: set[str] = set()
    plain_open = tifffile.FileHandle.open

    def note(self: tifffile.FileHandle) -> None:
        seen.add(str(self._file))
        plain_open(self)

    monkeypatch.setattr(tifffile.FileHandle, "open", note)
    return seen


@pytest.mark.parametrize("tag", ["UUID", "otherUUID"])
@pytest.mark.parametrize("place", ["../secret", "{absolute}", "beside", "sub/secret"])
def test_a_file_that_is_not_of_the_set_is_never_opened_for_its_pixels(
    place: str, tag: str, tmp_path: Path, grey: Grey, opened: set[str]
) -> None:
    folder = tmp_path / "cells"
    (folder / "sub").mkdir(parents=True)
    for path in (tmp_path / "secret", folder / "beside", folder / "sub" / "secret"):
        tifffile.imwrite(path, grey[1], compression="zlib")
    name = place.format(absolute=tmp_path / "secret")
    write_images(folder, grey[:1], [["a.ome.tif"], [name]])
    data = (folder / "a.ome.tif").read_bytes()
    if tag != "UUID":
        with tifffile.TiffFile(folder / "a.ome.tif") as tif:
            xml = str(tif.ome_metadata)
        start = xml.index(f'<UUID FileName="{name}"')
        block = xml[start : xml.index("</UUID>", start) + 7]
        xml = xml.replace(block, block.replace("UUID", tag))
        tifffile.imwrite(
            folder / "a.ome.tif", grey[0], description=xml, metadata=None, compression="zlib"
        )
        data = (folder / "a.ome.tif").read_bytes()
    opened.clear()
    stack = open_tiff(folder / "a.ome.tif")
    np.testing.assert_array_equal(np.asarray(stack.array).squeeze(), grey[0])
    assert (folder / "a.ome.tif").read_bytes() == data
    looked_at = {str(folder / "beside")} if place == "beside" else set()  # at its first words
    assert opened <= {str(folder / "a.ome.tif")} | looked_at


def test_planes_in_a_file_that_knows_nothing_of_the_set_are_not_taken(
    tmp_path: Path, grey: Grey
) -> None:
    write_images(tmp_path, grey[:1], [["a.ome.tif", "b.ome.tif"]])
    tifffile.imwrite(tmp_path / "b.ome.tif", grey[1], compression="zlib")
    with pytest.raises(FileError, match=r"'b.ome.tif' beside it says nothing of this image"):
        open_tiff(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("others", ["binary only", "without a word", "of their own"])
@pytest.mark.parametrize(
    "names",
    [
        ["cells_t0.ome.tif", "cells_t1.ome.tif", "cells_t2.ome.tif"],
        ["cells.ome.tif", "cells_1.tif", "cells_2.tif"],
        ["0 cells.ome.tif", "1 cells.ome.tif", "2 cells.ome.tif"],
    ],
)
def test_the_first_file_alone_may_tell_of_the_others(
    names: list[str], others: str, tmp_path: Path, grey: Grey
) -> None:
    write_images(tmp_path, grey, [names])
    for name, plane in zip(names[1:], grey[1:], strict=False):
        text = {
            "binary only": f'<OME><BinaryOnly MetadataFile="{names[0]}" UUID="urn:uuid:0"/></OME>',
            "without a word": "",
            "of their own": tifffile.OmeXml().tostring(),
        }[others]
        tifffile.imwrite(tmp_path / name, plane, description=text, metadata=None)
    np.testing.assert_array_equal(np.asarray(open_tiff(tmp_path / names[0]).array), grey[:3])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('SizeT="1"', 'SizeT="2000000000"'),
        ('PlaneCount="1"', 'PlaneCount="2000000000"'),
        ('SizeT="1"', 'SizeT="many"'),
        ('SizeX="52"', 'SizeX="2147483648"'),
        (
            "</OME>",
            '<StructuredAnnotations><X ID="a" Namespace="x/modulo"><V><M><ModuloAlongT Start="0" '
            'End="1e15" Step="1"/></M></V></X></StructuredAnnotations></OME>',
        ),
    ],
)
def test_more_planes_than_any_image_has_are_not_believed(
    old: str, new: str, tmp_path: Path, grey: Grey
) -> None:
    write_images(tmp_path, grey[:1], [["a.ome.tif"]])
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffFile(path) as tif:
        xml = str(tif.ome_metadata).replace(old, new)
    tifffile.imwrite(path, grey[0], description=xml, metadata=None, compression="zlib")
    with pytest.warns(FileWarning, match="The OME-XML of .* is of no use"):
        stack = open_tiff(path)
    np.testing.assert_array_equal(np.asarray(stack.array), grey[0])


def test_a_position_in_a_file_of_its_own_opens_with_or_without_the_others(
    tmp_path: Path, grey: Grey
) -> None:
    write_images(tmp_path, grey, [["a.ome.tif", "b.ome.tif"], ["c.ome.tif", "d.ome.tif"]])
    for lost in (None, "a.ome.tif", "b.ome.tif"):
        if lost:
            (tmp_path / lost).unlink()
        stack = open_tiff(tmp_path / "c.ome.tif")
        np.testing.assert_array_equal(np.asarray(stack.array), grey[2:4])
        assert stack.spacing == {"Z": 2.0}


def test_a_file_that_was_renamed_opens(tmp_path: Path, grey: Grey) -> None:
    write_images(tmp_path, grey, [["a.ome.tif"]])
    stack = open_tiff((tmp_path / "a.ome.tif").rename(tmp_path / "other.ome.tif"))
    np.testing.assert_array_equal(np.asarray(stack.array).squeeze(), grey[0])


def test_a_part_of_a_set_that_another_file_tells_of_opens_with_a_word(
    tmp_path: Path, grey: Grey
) -> None:
    text = '<OME><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:1"/></OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", grey[0], description=text, metadata=None)
    with pytest.warns(FileWarning, match=r"is of no use \(it tells of other files\); its pixels"):
        stack = open_tiff(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(np.asarray(stack.array), grey[0])


ENTITIES = '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">'


@pytest.mark.parametrize(
    "tags",
    [
        {"description": f"<!DOCTYPE scan [{ENTITIES}]><scan>&c;</scan>"},
        {"extratags": [(700, 7, None, f"<!DOCTYPE x [{ENTITIES}]><iScan>&c;</iScan>".encode())]},
        {"extratags": [(700, 7, None, f"<!DOCTYPE x [{ENTITIES}]><x/>".encode("utf-16"))]},
    ],
)
def test_xml_with_entities_is_not_opened(tags: dict[str, Any], tmp_path: Path, grey: Grey) -> None:
    tifffile.imwrite(tmp_path / "a.tif", grey[0], metadata=None, **tags)
    with pytest.raises(FileError, match=r"a.tif' carries XML that declares a type of document"):
        open_tiff(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><OME><Experimenter UserName="A & B"/></OME>',
        '<OME><Image><Pixels DimensionOrder="XYZCT" SizeX="52"/></Image></OME>',
        '<OME><Image><Pixels DimensionOrder="XYZCT" SizeX="many"/></Image></OME>',
        f'<!DOCTYPE OME [{ENTITIES}]><OME Creator="&c;"><Image/></OME>',
    ],
)
def test_pixels_open_without_damaged_xml(text: str, tmp_path: Path, grey: Grey) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as file:
        for number, plane in enumerate(grey):
            file.write(plane, description=None if number else text, metadata=None)
    with pytest.warns(FileWarning, match=r"OME-XML of .*a.ome.tif' is of no use"):
        stack = open_tiff(path)
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), grey)


def test_channels_have_names_and_colours(tmp_path: Path, grey: Grey) -> None:
    told = {"Name": ["DAPI", "01", ""], "Color": [65535, -16776961, -1]}  # blue, red, white
    path = tmp_path / "a.ome.tif"
    meta = {"axes": "CYX", "Channel": told}
    tifffile.imwrite(path, grey[:3], photometric="minisblack", metadata=meta)
    assert open_tiff(path).channels == (
        Channel("DAPI", "#0000ff"),
        Channel("01", "#ff0000"),
        Channel(),
    )
