"""What the network sees: the weight map and a training patch."""
