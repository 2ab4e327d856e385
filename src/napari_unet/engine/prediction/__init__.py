"""Exact prediction of stacks of any size: `segment` is an iterator of finished tiles.

Overlap-tile, rotations, the network on its device, suggestions. Knows nothing of training.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
