"""The step Image: which image, and which channels."""
