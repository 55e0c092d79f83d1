"""Training: the loop, the computation of a step, and what is kept."""
