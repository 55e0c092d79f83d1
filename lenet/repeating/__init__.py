"""Runs held to one another, bit by bit: a run made again, what differs, what each ran on (resuming asks that too)."""
