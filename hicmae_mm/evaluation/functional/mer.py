"""The measure of MER-MULTI, a class and a value per clip."""

from __future__ import annotations


def mer_score(weighted_f1: float, mean_squared_error: float) -> float:
    """``weighted F1 - 0.25 * MSE``, by which the MER2023 challenge (Lian et al., 2023) ranks MER-MULTI."""
    return weighted_f1 - 0.25 * mean_squared_error
