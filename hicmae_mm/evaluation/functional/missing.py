"""Computes one number for a measure at several missing rates."""

from __future__ import annotations

from collections.abc import Mapping

import scipy


def area_over_missing_rates(measures: Mapping[float, float]) -> float:
    """Computes the area under a measure over the missing rate, by trapezoids (AUILC: Yuan et al., 2021; EMT-DLFR).

    Args:
        measures: Missing rate -> measure at this rate. From 0 to 1, the area is a mean over all rates.

    Raises:
        ValueError: If there are fewer than two rates.
    """
    if len(measures) < 2:
        raise ValueError(f'an area needs measures at two rates or more, got {sorted(measures)}')
    rates = sorted(measures)
    return float(scipy.integrate.trapezoid([measures[rate] for rate in rates], rates))
