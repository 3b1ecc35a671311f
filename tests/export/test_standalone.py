"""docs/export.md's program runs where this package cannot be imported, and scores as the toolkit does."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.datasets import AudioVisualDataset, collate_audio_visual
from hicmae_mm.datasets.writers import write_wav
from hicmae_mm.export import export_model
from tests.export.conftest import tiny_config
from tests.models.tiny import build, inputs

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = ('hicmae_mm', 'torch', 'torchaudio', 'mmengine', 'mmcv', 'scipy', 'cv2', 'soundfile')
RUN = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({BLOCKED!r}))  # importing one of them fails
script, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_path(script, run_name='__main__')
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    page = (ROOT / 'docs' / 'export.md').read_text(encoding='utf-8')
    (code,) = re.findall(r'```python\n# standalone/score_sound\.py\n(.*?)```', page, re.DOTALL)
    path = tmp_path / 'score_sound.py'
    path.write_text(code)
    return path


def _toolkit_scores(cfg: Config, model: torch.nn.Module, folder: Path, *names: str) -> torch.Tensor:
    """Of the whole of each sound file, by the config's test pipeline and the eager model."""
    (folder / 'list.txt').write_text(''.join(f'- {name} 0\n' for name in names))
    settings = {**cfg.test_dataloader.dataset, 'data_root': str(folder), 'ann_file': 'list.txt', 'num_classes': 3}
    settings.pop('type')
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        dataset = AudioVisualDataset(**settings)
        batch = collate_audio_visual([dataset[index] for index in range(len(dataset))])
    with torch.inference_mode():
        return model(model.data_preprocessor(batch)['inputs']).softmax(-1)


def test_sound_is_scored_without_this_package(program: Path, tmp_path: Path) -> None:
    cfg = tiny_config('audio')
    torch.manual_seed(0)
    model = build(cfg.model).eval()
    model.head.fc.weight.data.mul_(5)  # else the scores of all clips are alike
    manifest = export_model(model, cfg, tmp_path / 'out', views={'audio': inputs(5)['audio']})
    seconds, rate = manifest.inputs['audio']['shape'][1] / 100, 16000
    noise = np.random.default_rng(0)
    sound = np.concatenate([noise.normal(0, scale, round(seconds * rate)) for scale in (0.02, 0.2)]).round(4)
    half = len(sound) // 2
    for name, part in (('both.wav', sound), ('first.wav', sound[:half]), ('second.wav', sound[half:])):
        write_wav(tmp_path / name, part)
    done = subprocess.run(
        [sys.executable, '-c', RUN, program, tmp_path / 'out', tmp_path / 'both.wav'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    printed = [ast.literal_eval(line.partition(' s: ')[2]) for line in done.stdout.splitlines()]
    scores = torch.tensor([list(row.values()) for row in printed])
    assert [list(row) for row in printed] == [['a', 'b', 'c']] * 2
    expected = _toolkit_scores(cfg, model, tmp_path, 'first.wav', 'second.wav')
    assert (expected[0] - expected[1]).abs().max() > 0.01
    torch.testing.assert_close(scores, expected, atol=2e-4, rtol=0)


def test_model_json_says_how_files_become_input(onnx_folder: Path) -> None:
    described = json.loads((onnx_folder / 'model.json').read_text())['inputs']
    assert {key: described['video'][key] for key in ('frame_interval', 'temporal_views', 'spatial_views')} == dict(
        frame_interval=2, temporal_views=2, spatial_views=2
    )
    audio = described['audio']
    assert (audio['sample_rate_hz'], audio['num_mel_bins'], audio['highest_hz']) == (16000, 32, 8000)
    assert (audio['mean'], audio['std'], audio['preemphasis']) == (-4.2677393, 4.5689974, 0.97)
