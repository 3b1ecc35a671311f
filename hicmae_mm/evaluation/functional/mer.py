"""Computes the measure of MER-MULTI, a class and a value per clip."""

from __future__ import annotations


def mer_score(weighted_f1: float, mean_squared_error: float) -> float:
    """Computes ``weighted F1 - 0.25 * MSE``, the rank of the MER-MULTI track (MER2023: Lian et al., 2023)."""
    return weighted_f1 - 0.25 * mean_squared_error
