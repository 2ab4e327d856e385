"""The step Train: a network learns from what is painted."""
