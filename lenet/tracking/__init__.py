"""Runs in an MLflow store: `address` (which store), `store` (opening it, reading), `run` (writing one run).

No other part of the project imports MLflow. Importing `store`, `opening` or `run` does so and takes more than a second;
`address`, `process`, `importing`, `journal` and `ui` do not, and can be used where an answer must come at once.
"""
