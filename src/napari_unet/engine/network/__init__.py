"""The U-Net, its weights as a model, and the devices that compute it.

Knows nothing of images, labels and tiles.
"""

import os

import lazy_loader

# On a CPU, PyTorch and its oneDNN each remember 1,024 compiled convolutions, some 100 kB per shape
# of image that was met; what is seen in a window has ever another one. A training step of the
# largest network needs fewer than these. Both are read once, at the first convolution.
os.environ.setdefault("LRU_CACHE_CAPACITY", "128")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
