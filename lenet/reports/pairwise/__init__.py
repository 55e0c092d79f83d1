"""Configurations over the same seeds, compared pair by pair: `groups` of runs, their `difference`, a `report`.

A seed decides the split of the data, the first weights and the order of the images. Two runs of the same seed share
these, and what they have in common cancels in their difference; so runs are paired by seed, and the spread that
counts is that of the differences.
"""
