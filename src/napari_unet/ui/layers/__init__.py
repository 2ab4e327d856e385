"""Layers of the viewer: where they lie, what is read from them, what is written into them."""
