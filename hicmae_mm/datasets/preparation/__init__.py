"""Preparing raw media for training: sound, faces, checks; in parallel, and continued after an interruption."""
