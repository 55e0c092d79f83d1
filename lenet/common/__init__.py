"""Small things that all parts share; they know of nothing else here but the errors."""
