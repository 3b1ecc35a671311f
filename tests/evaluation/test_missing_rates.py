from __future__ import annotations

import pytest

from hicmae_mm.evaluation.functional import area_over_missing_rates


def test_area_by_trapezoids() -> None:
    assert area_over_missing_rates({1.0: 0.5, 0.0: 1.0}) == pytest.approx(0.75)
    assert area_over_missing_rates({0.0: 1.0, 0.5: 0.5, 0.6: 0.5, 1.0: 0.25}) == pytest.approx(0.375 + 0.05 + 0.15)
    with pytest.raises(ValueError, match=r'two rates or more, got \[0.5\]'):
        area_over_missing_rates({0.5: 1.0})
