"""A run as it was recorded: which one is meant, what it says, how it may go on. Nothing of it is trusted.

And what it is recorded by: the digests that tell runs apart, and what this process runs on.
"""
