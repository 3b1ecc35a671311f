from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint, read_checkpoint_meta


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ('echo attacked',)


class _GetattrAttack:
    def __reduce__(self) -> tuple[object, tuple[object, str]]:
        return getattr, (HistoryBuffer, '__init__')


def test_reads_what_mmengine_writes(tmp_path: Path) -> None:
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    content = dict(
        state_dict=dict(weight=torch.ones(2)),
        message_hub=dict(
            log_scalars=dict(loss=history),
            info=np.float64(2.5),
            table=np.arange(3),
            small=np.float32(1),
            flag=np.bool_(1),
        ),
        meta=dict(epoch=3, iter=12, seed=5),
    )
    torch.save(content, tmp_path / 'epoch_3.pth')
    checkpoint = read_checkpoint(tmp_path / 'epoch_3.pth')
    assert torch.equal(checkpoint['state_dict']['weight'], torch.ones(2))
    restored = checkpoint['message_hub']['log_scalars']['loss']
    assert restored.mean() == 2.0
    assert restored.statistics('max') == 3.0
    assert checkpoint['message_hub']['info'] == 2.5
    assert checkpoint['message_hub']['table'].tolist() == [0, 1, 2]
    assert read_checkpoint_meta(tmp_path / 'epoch_3.pth') == dict(epoch=3, iter=12, seed=5)


@pytest.mark.parametrize('attack', [_Attack(), _GetattrAttack()])
def test_never_runs_code_from_a_file(attack: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch.save(dict(state_dict={}, evil=attack), tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match=r'evil.pth.*cannot|evil.pth.*safely'):
        read_checkpoint(tmp_path / 'evil.pth')
    assert 'attacked' not in capfd.readouterr().out


def test_bare_and_published_files_are_accepted(tmp_path: Path) -> None:
    weights = dict(weight=torch.ones(1))
    for name, content in dict(bare=weights, model=dict(model=weights), module=dict(module=weights)).items():
        torch.save(content, tmp_path / name)
        assert torch.equal(read_checkpoint(tmp_path / name)['state_dict']['weight'], torch.ones(1))


def test_not_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'absent.pth'):
        read_checkpoint(tmp_path / 'absent.pth')
    (tmp_path / 'text.pth').write_text('hello')
    (tmp_path / 'empty.pth').write_text('')
    (tmp_path / 'pickle.pth').write_bytes(pickle.dumps([1, 2]))
    torch.save(dict(epoch=3), tmp_path / 'no_weights.pth')
    for name in ('text', 'empty', 'pickle', 'no_weights'):
        with pytest.raises(ValueError, match=rf'{name}.pth.*is not a checkpoint'):
            read_checkpoint(tmp_path / f'{name}.pth')


def _model(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.Linear(4, classes))


def test_report_says_what_was_loaded_and_what_was_not() -> None:
    source, target = _model(5), _model(3)
    state = {f'module.{name}': value for name, value in source.state_dict().items() if name != '0.bias'}
    state['decoder.weight'] = torch.zeros(1)
    kept = target[1].weight.detach().clone()
    report = load_weights(target, state, 'pretrained.pth')
    assert torch.equal(target[0].weight, source[0].weight)
    assert torch.equal(target[1].weight, kept)
    assert report.loaded == ['0.weight']
    assert report.missing == ['0.bias']
    assert report.unexpected == ['decoder.weight']
    assert report.mismatched == {'1.weight': ((5, 4), (3, 4)), '1.bias': ((5,), (3,))}
    summary = report.summary()
    for part in ('1 of 4 entries', '0.bias', 'decoder.weight', '1.weight (5, 4) (model (3, 4))'):
        assert part in summary


def test_wrong_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'other.pth' is the wrong checkpoint: none of its 1 entries"):
        load_weights(_model(), {'backbone.conv1.weight': torch.zeros(1)}, 'other.pth')
    partial = {'0.weight': torch.zeros(4, 2)}
    with pytest.raises(ValueError, match=r"'half.pth' does not fill this model: 1 of 4"):
        load_weights(_model(), partial, 'half.pth', require_all=True)
    complete = load_weights(_model(), _model().state_dict(), 'full.pth', require_all=True)
    assert complete.is_complete
    assert not complete.is_suspicious
    assert load_weights(_model(), partial, 'half.pth').is_suspicious
    assert complete.summary() == '4 of 4 entries of the model loaded'


def test_safetensors_and_old_files_are_checkpoints_too(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / 'new.safetensors', dict(weight=torch.ones(2)), dict(epoch=3, classes=['a']))
    torch.save(
        dict(state_dict=dict(weight=torch.ones(2)), meta=dict(epoch=3)),
        tmp_path / 'old.pth',
        _use_new_zipfile_serialization=False,
    )
    for name, meta in (('new.safetensors', dict(epoch=3, classes=['a'])), ('old.pth', dict(epoch=3))):
        assert torch.equal(read_checkpoint(tmp_path / name)['state_dict']['weight'], torch.ones(2))
        assert read_checkpoint(tmp_path / name)['meta'] == meta
        assert read_checkpoint_meta(tmp_path / name) == meta
    with pytest.raises(FileNotFoundError, match=r'absent.safetensors'):
        read_checkpoint(tmp_path / 'absent.safetensors')
