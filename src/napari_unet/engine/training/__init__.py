"""Training on painted labels: `fit` is an iterator of events.

From lessons (what is painted) through patches and steps to the best weights and previews. Knows
nothing of files and windows, nor how large planes are predicted tile by tile.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
