"""``get_flops.py`` on the published tiny model."""

from __future__ import annotations

import pytest

from hicmae_mm.config.paths import configs_root
from tests.test_tools.in_process import call

pytestmark = pytest.mark.usefixtures('elsewhere')


def test_get_flops(capsys: pytest.CaptureFixture[str]) -> None:
    call('analysis_tools/get_flops.py', configs_root() / '_base_' / 'models' / 'hicmae_tiny_finetune.py')
    out = capsys.readouterr().out
    assert 'Parameters: 20.5 M' in out
    assert 'Forward: 13.8 G multiply-accumulates (27.6 GFLOP)' in out
    assert 'Published implementation: 13.8 G' in out
