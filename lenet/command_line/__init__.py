"""What the commands share: how they read, how they speak and end, and what a shell is told."""
