"""Runs in an MLflow store: `address` (which store), `store` (opening it, reading), `run` (writing one run).

No other part of the project imports MLflow, and of these only `store` and `run` do: importing it takes more
than a second, so `address` and `process` can be used where an answer must come at once.
"""
