"""The label scheme and what follows from painted pixels: targets, weights, held-out blocks, sizes.

The only room that knows what 0, 1 and 2 mean in a painted layer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
