"""Widgets that several steps are made of."""
