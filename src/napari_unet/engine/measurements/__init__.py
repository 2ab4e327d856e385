"""Label images → tables: how many objects, how large, of what shape, how bright; and outlines.

Knows label images and grey values, plane by plane; not how they came about, and no files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
