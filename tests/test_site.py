"""The site is built from the pages without a warning, and its figures are drawn by the code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docs import make_architecture, make_equations

_ROOT = Path(__file__).parents[1]
_DOCS = _ROOT / "docs"
_ROUNDING = 1.0  # mean difference of the shades of a figure that other processors may make


def _build(pages: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    for name in ("furo", "myst_parser", "sphinx"):
        pytest.importorskip(name, reason="pip install -e .[docs]")
    options = ("--fail-on-warning", "--keep-going", "--quiet", "--no-color", "-b", "html")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-c", _DOCS, pages, site],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_the_site_is_built_without_a_warning_and_holds_every_page(tmp_path: Path) -> None:
    done = _build(_DOCS, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    pages = [path.relative_to(_DOCS) for path in _DOCS.rglob("*.md")]
    assert [page for page in pages if not (tmp_path / page.with_suffix(".html")).exists()] == []
    assert 'id="napari_unet.segment"' in (tmp_path / "reference.html").read_text("utf-8")
    links = (tmp_path / "safety.html").read_text("utf-8")
    assert 'href="changelog.html"' in links
    assert "/blob/main/SECURITY.md" in links


def test_a_link_or_picture_that_is_missing_ends_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.md").write_text("# Index\n\n[away](away.md) ![gone](gone.png)\n", "utf-8")

    done = _build(pages, tmp_path / "site")

    assert done.returncode == 1
    assert "away.md" in done.stderr
    assert "gone.png" in done.stderr


def test_the_figures_of_the_equations_are_what_the_code_draws() -> None:
    for name, drawn in make_equations.figures():
        with Image.open(make_equations.PICTURES / name) as picture:
            shown = np.asarray(picture.convert("RGB"), dtype=float)
        difference = np.abs(shown - make_equations.side_by_side(drawn))
        assert difference.mean() < _ROUNDING, f"python -m docs.make_equations draws another {name}"


def test_the_pictures_of_the_rooms_are_what_the_code_is() -> None:
    for name, drawn in make_architecture.pictures():
        shown = (make_equations.PICTURES / name).read_text("utf-8")
        assert shown == drawn, f"python -m docs.make_architecture draws another {name}"
