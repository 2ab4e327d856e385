"""The command line: the same engine without a window, for tests, servers and clusters."""

from napari_unet.cli.app import main

__all__ = ["main"]
