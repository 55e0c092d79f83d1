"""LeNet-5 in plain array code, with configured, tracked and repeatable experiments."""
