"""Microscopy made by code, with its truth."""
