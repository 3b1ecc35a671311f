"""Checkpoint files as data: what they hold is checked before it is built, and nothing in them runs."""
