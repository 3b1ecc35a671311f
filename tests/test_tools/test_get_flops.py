"""``get_flops.py`` on the published tiny model."""

from __future__ import annotations

from pathlib import Path

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


def test_an_encoder_is_measured_without_its_folder_if_the_config_describes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip('transformers')
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32)
    clip = dict(model_type='clip_vision_model', patch_size=16, **sizes)
    video = dict(type='TransformersEncoder', path='missing', config=clip, tokens='frames')
    text = tmp_path / 'small.py'
    model = dict(
        type='AudioVisualRecognizer',
        data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
        encoders=dict(video=video),
        aggregator=dict(type='MeanPoolAggregator'),
        head=dict(type='ClassificationHead', num_classes=3),
    )
    text.write_text(
        f"default_scope = 'hicmae_mm'\nmodel = {model}\noptim_wrapper = dict(optimizer=dict(type='AdamW'))\n"
    )
    call('analysis_tools/get_flops.py', text)
    assert 'encoders.video' in capsys.readouterr().out
    call('analysis_tools/benchmark.py', 'infer', text, '--media', 'random', '--iters', 1, '--warmup', 0)
    assert 'missing' not in capsys.readouterr().out
