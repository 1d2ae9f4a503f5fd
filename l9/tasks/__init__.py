"""What networks, and baselines without one, are asked to do: losses, metrics and pictures."""
