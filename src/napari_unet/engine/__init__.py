"""The science: network, targets, augmentation, training and tiled prediction. No Qt, no files."""
