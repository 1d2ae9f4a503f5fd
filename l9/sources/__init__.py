"""Bring open data by ordinary package clients, and group what came into families."""
