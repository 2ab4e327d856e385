"""U-Net Paint: segment microscopy by painting (Ronneberger, Fischer and Brox 2015).

From Python: `train`, `segment`, `measure`, `load_model`, `save_model` and `open_image`, which are
read when they are first used.
"""

import lazy_loader

from napari_unet._version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
