"""What all computing rests on: NumPy or CuPy, how arrays lie in memory, random numbers drawn in array code."""
