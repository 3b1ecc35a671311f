"""``tools/export.py`` on the tiny corpus, whose clips it reads, compares and evaluates on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.checkpoints.files import file_sha256
from hicmae_mm.config.paths import configs_root
from hicmae_mm.export import OnnxSession, open_session
from tests.models.tiny import build, inputs
from tests.test_tools.command import run_tool
from tests.test_tools.modules import load_tool


@pytest.fixture(scope='module')
def checkpoint(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head of large weights on an untrained model, so that scores differ from clip to clip."""
    path = tmp_path_factory.mktemp('checkpoint') / 'tiny.pth'
    model = build(Config.fromfile(config_file).model)
    model.head.fc.weight.data.mul_(1000)
    torch.save({'state_dict': model.state_dict()}, path)
    return path


@pytest.mark.slow  # exports to ONNX twice
def test_int8_is_evaluated_beside_the_eager_model(
    config_file: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'out'
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        main = load_tool('export.py').main
        assert main([str(config_file), str(checkpoint), '--out', str(out)]) == 0
        whole = (out / 'model.onnx').stat().st_size
        assert 'float32, any batch size, opset 20' in capsys.readouterr().out
        assert main([str(config_file), str(checkpoint), '--out', str(out), '--int8', '--eval']) == 0
    printed = capsys.readouterr().out
    assert 'int8, any batch size' in printed
    assert 'test.txt)' in printed  # the config's own clips
    report = json.loads((out / 'evaluation.json').read_text())
    assert list(report) == ['eager', 'onnx int8']
    for name in report:
        assert set(report[name]['metrics']) >= {'UAR', 'WAR'}
        assert report[name]['batch_4']['seconds'] > 0
    for row in ('UAR', 'WAR'):
        scores = ''.join(f'{report[name]["metrics"][row]:>18.4f}' for name in report)
        assert f'{row:24s}{scores}' in printed
    assert (out / 'model.onnx').stat().st_size < whole
    session = OnnxSession(out, threads=1)
    assert session.manifest.checkpoint == {'file': 'tiny.pth', 'sha256': file_sha256(checkpoint)}
    assert session.manifest.precision == 'int8'
    assert session.classes == ('high', 'low')


@pytest.mark.slow  # a process
def test_program_for_given_media(config_file: Path, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    clips = [corpus / '0.mp4', corpus / '1.mp4']
    options = ('--format', 'torch-export', '--batch-size', 2, '--media', *clips)
    done = run_tool('export.py', config_file, checkpoint, '--out', tmp_path, *options)
    assert 'model.pt2: float32, batch size 2, ' in done.stdout
    assert '(batch sizes 2, 3; the given media)' in done.stdout
    assert done.stderr == ''
    model = build(Config.fromfile(config_file).model).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    with torch.no_grad():
        expected = model(inputs(3)).softmax(dim=-1)
    found = open_session(tmp_path, trust_source=True).predict(inputs(3))['scores']
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_problems_end_in_one_line(
    config_file: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main, out = load_tool('export.py').main, tmp_path / 'out'
    pretraining = configs_root() / 'hicmae_nano_pretrain_synthetic.py'
    other = configs_root() / 'hicmae_nano_synthetic.py'
    cases = [
        ((config_file, tmp_path / 'no.pth'), f"checkpoint '{tmp_path / 'no.pth'}' does not exist"),
        ((tmp_path / 'no.py', checkpoint), f'config file {tmp_path / "no.py"} does not exist'),
        ((pretraining, checkpoint), 'only recognizers can be exported, got AudioVisualPretrainer'),
        ((other, checkpoint), f"'{checkpoint}' is the wrong checkpoint"),
        ((config_file, checkpoint, '--media', tmp_path / 'no.mp4'), f'{tmp_path / "no.mp4"} does not exist'),
        ((config_file, checkpoint, '--media', tmp_path / 'no.wav'), f'{tmp_path / "no.wav"} does not exist'),
    ]
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        for arguments, message in cases:
            assert main([*map(str, arguments), '--out', str(out)]) == 1
            error = capsys.readouterr().err
            assert error.startswith('error: ')
            assert message in error
    assert not out.exists()
    for options in (
        ['--int8', '--format', 'torch-export'],
        ['--batch-size', '0'],
        ['--batch-size', '2', '--dynamic-batch'],
    ):
        with pytest.raises(SystemExit):
            main([str(config_file), str(checkpoint), '--out', str(out), *options])
        assert 'error: ' in capsys.readouterr().err
