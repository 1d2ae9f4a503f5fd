"""TBD room."""
