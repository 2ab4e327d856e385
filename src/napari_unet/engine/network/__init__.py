"""The U-Net, its weights as a model, and the devices that compute it.

Knows nothing of images, labels and tiles.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
