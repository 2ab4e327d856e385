"""Pretraining of the bundled networks; not part of the package."""
