"""Encoders around models of other libraries."""
