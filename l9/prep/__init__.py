"""From a dataset's files to a store: plan (keys before work), then run it, in process or on Ray."""
