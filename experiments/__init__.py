"""Composed experiments (the YAML files beside this), what they measured (results/), and the report made of that."""
