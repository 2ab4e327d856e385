"""The step Compare: scores against a truth, and the mistakes as a layer."""
