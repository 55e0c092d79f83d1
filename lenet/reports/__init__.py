"""What recorded runs say side by side: what tells them apart, what a store holds, what it takes on disk."""
