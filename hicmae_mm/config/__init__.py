"""Reads, checks and overrides configs, and finds the origin of their values."""
