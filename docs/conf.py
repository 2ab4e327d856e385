"""How Sphinx builds the site from these pages: `make docs`.

Sphinx with MyST reads the pages as they are, in the Markdown that code forges show as well, and
the docstrings through napoleon.
"""

from __future__ import annotations

from importlib.metadata import version as version_of

from sphinx.application import Sphinx

project = "U-Net Paint"
author = "The U-Net Paint developers"
copyright = "The U-Net Paint developers"  # noqa: A001, Sphinx's name
release = version_of("napari-unet-paint")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto"]

napoleon_google_docstring = False
napoleon_use_param = False  # two parameters may share one text
napoleon_use_rtype = False
autodoc_typehints = "none"  # the signature would be longer than what the docstring says of it
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "U-Net Paint"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "source_repository": "https://github.com/napari-unet-paint/napari-unet-paint/",
    "source_branch": "main",
    "source_directory": "docs/",
}

_FORGE = f"{html_theme_options['source_repository']}blob/main/"


def _link_to_the_forge(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Let links to files outside of docs/, such as ../SECURITY.md, lead to where the code is."""
    inside = "../" * docname.count("/")
    page = source[0].replace(f"]({inside}../CHANGELOG.md", f"]({inside}changelog.md")
    source[0] = page.replace(f"]({inside}../", f"]({_FORGE}")


def setup(app: Sphinx) -> None:
    """Connect what is done to the pages before they are parsed."""
    app.connect("source-read", _link_to_the_forge)
