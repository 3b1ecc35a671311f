"""A training that is killed (SIGKILL) in the middle of an epoch, and of writing a checkpoint, loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.config.paths import tools_root
from hicmae_mm.engine import set_resume
from tests.engine.tiny_run import finetune_config, train
from tests.test_tools.command import wait_for

FATAL_FILE = 'FATAL_FILE'
# Python imports a module of this name when it starts: the process dies when half of that file is on the disk
SITECUSTOMIZE = f"""
import os, signal

if '{FATAL_FILE}' in os.environ:
    from mmengine.fileio import LocalBackend

    put = LocalBackend.put

    def put_half(self, obj, filepath):
        if os.environ['{FATAL_FILE}'] in str(filepath):
            put(self, bytes(obj)[: len(obj) // 2], filepath)
            os.kill(os.getpid(), signal.SIGKILL)
        put(self, obj, filepath)

    LocalBackend.put = put_half
"""


def _weights(path: Path) -> dict[str, torch.Tensor]:
    checkpoint = read_checkpoint(path)
    optimizer = checkpoint['optimizer']['state']
    state = {f'{number}.{key}': value for number, slots in optimizer.items() for key, value in slots.items()}
    return {**checkpoint['state_dict'], **checkpoint['ema_state_dict'], **state}


@pytest.mark.slow
def test_killed_trainings_continue_bit_for_bit(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    torch.set_num_threads(1)
    cfg = finetune_config(corpus, Path(), default_hooks=dict(checkpoint=dict(by_epoch=False)))
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    cfg.dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py')  # in the order of keys that the file has
    cfg.work_dir = str(tmp_path / 'straight')
    train(cfg)
    expected = _weights(tmp_path / 'straight' / 'iter_10.pth')

    (tmp_path / 'sitecustomize.py').write_text(SITECUSTOMIZE)
    killed = tmp_path / 'killed'
    command = [sys.executable, str(tools_root() / 'train.py'), str(tmp_path / 'config.py'), '--work-dir', str(killed)]
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
    environment = {**os.environ, 'PYTHONPATH': path}

    # from outside, in the middle of the first epoch of five iterations
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(killed / 'iter_2.pth', process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / 'iter_5.pth').exists()

    # while it writes a checkpoint in the middle of the second epoch, the only other one being that before
    output = subprocess.run([*command, '--resume'], env={**environment, FATAL_FILE: 'iter_8.pth'}, capture_output=True)
    assert output.returncode == -signal.SIGKILL, output.stderr.decode()[-3000:]
    assert b'Epoch 1 continues after' in output.stdout + output.stderr
    assert [path.name for path in killed.glob('iter_*.pth')] == ['iter_7.pth']
    (partial,) = killed.glob('iter_8.pth.*.partial')
    with pytest.raises(ValueError, match='is not a checkpoint that can be read'):
        read_checkpoint(partial)

    cfg.work_dir = str(killed)
    set_resume(cfg, 'auto')
    train(cfg)
    assert sorted(path.name for path in killed.glob('iter_*')) == ['iter_10.pth']
    found = _weights(killed / 'iter_10.pth')
    assert found.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []
    best = [path.name for path in killed.glob('best_*')]
    assert best == [path.name for path in (tmp_path / 'straight').glob('best_*')]
