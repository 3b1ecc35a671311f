from __future__ import annotations

import subprocess
import sys

import pytest

LOAD_EVERYTHING = """
import sys
import hicmae_mm.engine.runner
from hicmae_mm import registry

for kind in vars(registry).values():
    if hasattr(kind, 'import_from_location'):
        kind.import_from_location()
rare = {'matplotlib', 'mmaction', 'peft', 'scipy.signal', 'scipy.stats', 'sklearn', 'timm', 'torchvision'}
rare.add('transformers')
print('>', sorted(rare & set(sys.modules)))
print('>', len(registry.MODELS.module_dict), len(registry.TRANSFORMS.module_dict))

import torch
from mmengine.registry import OPTIMIZERS

weight = torch.zeros(2, requires_grad=True)
optimizer = OPTIMIZERS.build(dict(type='Adafactor', params=[weight], lr=0.5, relative_step=False))
print('>', type(optimizer).__module__, optimizer.param_groups[0]['lr'])
"""


@pytest.mark.slow
def test_a_start_loads_no_library_that_only_some_runs_need() -> None:
    finished = subprocess.run([sys.executable, '-c', LOAD_EVERYTHING], capture_output=True, text=True, check=True)
    loaded, counts, optimizer = (line[2:] for line in finished.stdout.splitlines() if line.startswith('> '))
    assert loaded == '[]'
    assert all(int(count) > 30 for count in counts.split())
    assert optimizer == 'transformers.optimization 0.5'
