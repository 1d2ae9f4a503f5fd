"""The child process in which foreign bytes are read, its limits, and the wire between."""
