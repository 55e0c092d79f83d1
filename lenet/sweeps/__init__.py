"""Many runs under one parent: the jobs, the processes or clusters they run on, and what they add up to."""
