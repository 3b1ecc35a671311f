from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from hicmae_mm.engine.optimizers import CpuAmpOptimWrapper
from hicmae_mm.engine.optimizers.cpu_amp import cpu_has_native_bfloat16


def _layer_and_wrapper() -> tuple[nn.Linear, CpuAmpOptimWrapper]:
    layer = nn.Linear(4, 4)
    return layer, CpuAmpOptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.1))


@pytest.mark.parametrize(('is_enabled', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_only_computes_in_bfloat16_when_enabled(is_enabled: bool, dtype: torch.dtype) -> None:
    layer, wrapper = _layer_and_wrapper()
    wrapper.is_enabled = is_enabled
    before = layer.weight.detach().clone()
    with wrapper.optim_context(layer):
        output = layer(torch.ones(2, 4))
    assert output.dtype is dtype
    wrapper.update_params(output.float().sum())
    assert layer.weight.dtype is torch.float32
    torch.testing.assert_close(layer.weight, before - 0.2)


def test_says_what_it_does_on_this_machine(capfd: pytest.CaptureFixture[str]) -> None:
    MMLogger.get_instance('cpu_amp_test')
    _, wrapper = _layer_and_wrapper()
    assert wrapper.is_enabled is cpu_has_native_bfloat16()
    captured = capfd.readouterr()
    expected = 'bfloat16 autocast' if wrapper.is_enabled else 'no native bfloat16: computing in float32'
    assert expected in captured.out + captured.err


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('processor : 0\nflags : fpu avx512f avx512_bf16\n', True),
        ('flags\t\t: fpu amx_bf16 amx_tile\n', True),
        ('flags : fpu avx2 avx512f\n', False),
        ('Features : fp asimd bf16\n', True),
        ('no such line\n', False),
    ],
)
def test_native_bfloat16_is_read_from_the_flags(text: str, expected: bool, tmp_path: Path) -> None:
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text(text)
    assert cpu_has_native_bfloat16(cpuinfo) is expected
    assert cpu_has_native_bfloat16(tmp_path / 'absent') is False
