from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hicmae_mm.export import OnnxSession, ProgramSession, open_session
from hicmae_mm.export.session import choose_providers
from tests.models.tiny import inputs


@pytest.mark.parametrize('batch', [1, 2, 5])
def test_onnx_puts_out_the_softmax_of_the_eager_model(batch: int, onnx_folder: Path, model: nn.Module) -> None:
    session, views = OnnxSession(onnx_folder, threads=1), inputs(batch, seed=batch)
    with torch.no_grad():
        expected = model(views).softmax(dim=-1)
    outputs = session.predict(dict(reversed(views.items())) | {'text': torch.zeros(1)})
    assert list(outputs) == ['scores']
    assert outputs['scores'].dtype == torch.float32
    torch.testing.assert_close(outputs['scores'], expected, atol=1e-5, rtol=0)
    assert (expected.max(dim=1).values - expected.min(dim=1).values).min() > 0.05  # else any model would pass


@pytest.mark.parametrize('batch', [1, 2, 3])
def test_program_of_two_views_takes_any_number(batch: int, program_folder: Path, model: nn.Module) -> None:
    session, views = ProgramSession(program_folder, trust_source=True), inputs(batch, seed=batch)
    with torch.no_grad():
        expected = model(views).softmax(dim=-1)
    torch.testing.assert_close(session.predict(views)['scores'], expected, atol=1e-5, rtol=0)


def test_sessions_say_what_they_run(onnx_folder: Path, program_folder: Path) -> None:
    session = open_session(onnx_folder, threads=1)
    assert isinstance(session, OnnxSession)
    assert session.streams == ('video', 'audio')
    assert session.classes == ('a', 'b', 'c')
    assert session.providers == ('CPUExecutionProvider',)
    assert session.config.model.head.num_classes == 3
    assert list(session.config.model.encoders) == ['video', 'audio']  # the text has them in alphabetical order
    assert isinstance(open_session(program_folder, trust_source=True), ProgramSession)
    with pytest.raises(ValueError, match=r'model.pt2 is a program of torch.export, and reading it can run code'):
        open_session(program_folder)
    with pytest.raises(ValueError, match="has a model in the format 'torch-export', but OnnxSession runs 'onnx'"):
        OnnxSession(program_folder)


def test_wrong_input_is_named(onnx_folder: Path) -> None:
    session, views = OnnxSession(onnx_folder, threads=1), inputs(2)
    with pytest.raises(ValueError, match=r"needs the streams \['video', 'audio'\], but the inputs lack \['audio'\]"):
        session.predict({'video': views['video']})
    with pytest.raises(ValueError, match=r'audio must be \(B, 1, 32, 32\) with B at least 1, got \(2, 1, 16, 32\)'):
        session.predict(views | {'audio': torch.zeros(2, 1, 16, 32)})
    with pytest.raises(ValueError, match=r'got \(0, 3, 4, 32, 32\)'):
        session.predict({name: value[:0] for name, value in views.items()})
    with pytest.raises(ValueError, match="different batch sizes: {'video': 2, 'audio': 1}"):
        session.predict(views | {'audio': views['audio'][:1]})
    with pytest.raises(TypeError, match=r'video must be normalised .*, got torch.uint8'):
        session.predict(views | {'video': views['video'].byte()})


def test_providers() -> None:
    available = ['TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider']
    assert choose_providers(available) == ['CUDAExecutionProvider', 'CPUExecutionProvider']
    assert choose_providers(['CPUExecutionProvider']) == ['CPUExecutionProvider']
    chosen = [('CUDAExecutionProvider', {'device_id': 1})]
    assert choose_providers(available, chosen) == chosen
    with pytest.raises(ValueError, match=r"some of \['CPUExecutionProvider'\], got \['CUDAExecutionProvider'\]"):
        choose_providers(['CPUExecutionProvider'], ['CUDAExecutionProvider'])


def test_folders_that_cannot_be_run(onnx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match='there is no such folder'):
        open_session(tmp_path / 'absent')
    with pytest.raises(FileNotFoundError, match='expected a folder that tools/export.py has written'):
        open_session(tmp_path)
    folder = shutil.copytree(onnx_folder, tmp_path / 'copy')
    with pytest.raises(ValueError, match='threads must be at least 1, got 0'):
        OnnxSession(folder, threads=0)
    (folder / 'model.onnx').write_bytes((folder / 'model.onnx').read_bytes()[:1000])
    with pytest.raises(ValueError, match=r'model.onnx cannot be run: .*export it again'):
        OnnxSession(folder)
    (folder / 'model.onnx').unlink()
    with pytest.raises(FileNotFoundError, match=r'model.onnx does not exist, but model.json names it'):
        OnnxSession(folder)
    content = json.loads((folder / 'model.json').read_text())
    for change, message in (({'format_version': 2}, 'needs a later version'), ({'colour': 1}, "argument 'colour'")):
        (folder / 'model.json').write_text(json.dumps(content | change))
        with pytest.raises(ValueError, match=f'does not describe an exported model.*{message}'):
            open_session(folder)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r"onnxruntime is not installed: pip install 'hicmae_mm\[export\]'"):
        OnnxSession(onnx_folder)
