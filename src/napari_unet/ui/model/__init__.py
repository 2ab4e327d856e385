"""The step Model: what training starts from, and one's own models."""
