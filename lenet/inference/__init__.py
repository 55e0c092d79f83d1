"""A trained network in use: rebuilt from a checkpoint, scored on a test set, labelling images, serving as a model."""
