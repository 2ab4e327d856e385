"""Files in and out: images, label TIFFs, checkpoints and sample data."""
