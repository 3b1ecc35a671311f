"""Agreement losses of the published formulas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hicmae_mm.models.losses import CCCLoss, PCCLoss


def test_ccc_and_pcc_losses(parity_dir: Path) -> None:
    cases = [case for case in json.loads((parity_dir / 'metrics.json').read_text()) if case['task'] == 'regression']
    assert cases
    for case in cases:
        prediction = torch.tensor(case['view_outputs'], dtype=torch.float64).mean(dim=1)
        target = torch.tensor(case['labels'], dtype=torch.float64)
        assert float(CCCLoss()(prediction, target)) == pytest.approx(case['ccc_loss'], rel=1e-9)
        assert float(PCCLoss()(prediction, target)) == pytest.approx(case['pcc_loss'], rel=1e-9)
