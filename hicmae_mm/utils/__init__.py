"""Checkpoints, config checks, media files and other helpers."""
