"""From what was asked for to checked parts: the folders, Hydra's composition, and the objects that nodes describe."""
