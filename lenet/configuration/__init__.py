"""From what was asked for to checked parts: the folders, Hydra's composition, and the objects that nodes describe.

A command line of overrides is read here, by `config`, and what Hydra is told of sweeps and searches is here too: to
know all jobs of a sweep is part of checking them. How commands speak is in `lenet.command_line`.
"""
