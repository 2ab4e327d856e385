"""The step Labels: what is painted on, what its numbers mean, and the brush."""
