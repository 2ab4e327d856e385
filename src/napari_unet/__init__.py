"""U-Net Paint: segment microscopy by painting (Ronneberger, Fischer and Brox 2015)."""

from napari_unet._version import __version__

__all__ = ["__version__"]
