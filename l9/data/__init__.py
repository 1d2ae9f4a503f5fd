"""From stores to batches: which samples, in which order, on which rank; gathered from mapped shards, augmented by each sample's draws."""
