"""What several steps do with layers: where they lie, what is read from them, what is painted."""
