"""Generated parts of the documentation, each between two marks."""

from __future__ import annotations

from pathlib import Path

from napari_unet.io.replacing import replacing

__all__ = ["put_into"]


def put_into(document: Path, name: str, text: str) -> None:
    """Replace what lies between ``<!-- name -->`` and ``<!-- /name -->``.

    Raises
    ------
    ValueError
        If the document has no such marks.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, opened, rest = document.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{document} has no lines '{begin}' and '{end}'; write them first")
    with replacing(document) as temporary:
        temporary.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", "utf-8")
