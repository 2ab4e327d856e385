"""The network's answer → label images: one number per object, on a plane and across planes.

Knows probabilities, label images and the paint that overrides them; not the network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
