"""Clips of a user: files, folders and arrays, opened on one time line."""
