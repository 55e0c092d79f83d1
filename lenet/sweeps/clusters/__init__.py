"""Sweeps on more than one machine: Hydra's plugins for Ray and submitit give out the jobs, this watches over them.

`ready` says what is missing before anything is done; `launcher` is what both kinds of cluster share. `on_ray` and
`on_submitit` are imported only where they are asked for, since each needs an extra of its own.
"""
