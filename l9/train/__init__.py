"""One loop over turns, for every task: in process or on Ray Train workers; checkpoints, exact resume, the result on disk."""
