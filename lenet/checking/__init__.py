"""Layers looked at one by one: whether their gradients are right, what they cost, and what is wrong with them.

`gradients` compares with finite differences, `layers` calls a layer and holds it to what a layer has to do, `rehearsal`
calls all of a network as a run does, `timing` measures, `networks` does all of it to a network, and `report` tells of
it.
"""
