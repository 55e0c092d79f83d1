"""A run as it was recorded: which one is meant, what it says, how it may go on. Nothing of it is trusted."""
