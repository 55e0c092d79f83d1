"""Runs held to one another, bit by bit: a run made again, what differs, and what each ran on."""
