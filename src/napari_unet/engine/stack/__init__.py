"""Stacks as the engine reads them: planes, tiles, grey values, reduced planes, compact labels.

Knows numpy only: neither PyTorch nor what pixels mean.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
