"""How well a result agrees with a truth: IoU, SEG, AP, and which objects are mistaken.

Knows label images only, not where they come from.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
