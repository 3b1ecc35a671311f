from __future__ import annotations

import ast
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from hicmae_mm.datasets.writers import write_video, write_wav
from hicmae_mm.engine import build_runner, set_resume

HERE = Path(__file__).parent
PLUGINS = ('waveform', 'text_audio_video', 'feature_streams', 'frame_level', 'missing_steps', 'candidate_labels')
LONGEST_MODULE, LONGEST_PART = 120, 40
NUM_CLIPS = 8


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips, whose label every stream tells."""
    root, noise = tmp_path_factory.mktemp('plugin_data'), np.random.default_rng(0)
    rows = ['sample_id,video,audio,text,label,valence,expression,valence_arousal,action_units']
    for number in range(NUM_CLIPS):
        label, steps = number % 2, 5 + number % 3
        frames = noise.integers(0, 120, (12, 32, 32, 3), dtype=np.uint8) + np.uint8(100 * label)
        write_video(root / f'{number}.mp4', frames, fps=12)
        seconds = np.arange(8000 + 1600 * number) / 16000
        write_wav(root / f'{number}.wav', 0.3 * np.sin(2 * np.pi * (300 + 500 * label) * seconds))
        for name in ('hubert', 'clip', 'bert'):
            _save(root / f'{name}-UTT' / f'{number}.npy', noise.normal(label, 0.1, 6))
        for name in ('face', 'voice'):
            _save(root / f'{name}-FRA' / f'{number}.npy', noise.normal(label, 0.1, (steps, 6)))
        _save(root / f'{number}_expression.npy', np.array([-1, *[label] * (steps - 1)]))
        _save(root / f'{number}_mood.npy', np.array([[-5.0, -5.0], *[[0.5, label - 0.5]] * (steps - 1)]))
        _save(root / f'{number}_units.npy', np.array([[label, -1], *[[label, 1 - label]] * (steps - 1)]))
        text = 'well good' if label else 'no'
        files = f'{number}_expression.npy,{number}_mood.npy,{number}_units.npy'
        rows.append(f'{number},{number}.mp4,{number}.wav,{text},{label},{label - 0.5},{files}')
    (root / 'clips.csv').write_text('\n'.join(rows) + '\n')
    labels = [f'{number % 2}' if number < NUM_CLIPS // 2 else '0|1' for number in range(NUM_CLIPS)]
    lines = ['sample_id,label', *(f'{number},{label}' for number, label in enumerate(labels))]
    (root / 'candidates.csv').write_text('\n'.join(lines) + '\n')
    (root / 'words.txt').write_text('[UNK]\nwell\ngood\nno\n')
    return root


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    np.save(path, array)


def _trained(
    name: str,
    data: Path,
    work_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    resume: Path | None = None,
    checkpoint: dict[str, Any] | None = None,
) -> Any:
    monkeypatch.setenv('PLUGIN_DATA', str(data))
    cfg = Config.fromfile(HERE / 'configs' / f'{name}.py')
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'{data.name}_{work_dir.name}'
    cfg.default_hooks.checkpoint.update(checkpoint or {})
    set_resume(cfg, None if resume is None else str(resume))
    runner = build_runner(cfg)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    moved = [key for key, value in runner.model.state_dict().items() if not torch.equal(value, before[key])]
    parts = {key.split('.')[0] for key in before if key in dict(runner.model.named_parameters())}
    assert parts <= {key.split('.')[0] for key in moved}  # every part was trained
    return runner


@pytest.mark.parametrize('name', PLUGINS)
def test_a_plugin_trains_and_padding_changes_nothing(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = _trained(name, data, tmp_path, monkeypatch)
    measures = runner.test()
    key = 'frame_accuracy' if name == 'frame_level' else 'UAR'
    assert measures[key] > 0.7  # chance is 0.5
    dataset, model = runner.test_dataloader.dataset, runner.model
    samples = [dataset[number] for number in range(4)]
    together = model.test_step(runner.test_dataloader.collate_fn(samples))
    field = 'pred_expression_score' if name == 'frame_level' else 'pred_score'
    for number, sample in enumerate(together):
        (alone,) = model.test_step(runner.test_dataloader.collate_fn([dataset[number]]))
        torch.testing.assert_close(sample.get(field), alone.get(field), atol=1e-6, rtol=0)


def test_candidates_are_refined_to_the_right_class(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refined = _trained('candidate_labels', data, tmp_path, monkeypatch).model.head.refined.rows
    assert refined.argmax(dim=1).tolist() == [0, 1] * (NUM_CLIPS // 2)
    assert (refined[NUM_CLIPS // 2 :].amax(dim=1) > 0.6).all()  # they started at 0.5
    torch.testing.assert_close(refined.sum(dim=1), torch.ones(NUM_CLIPS))


@pytest.mark.slow
def test_refined_labels_survive_an_interruption(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_iteration = dict(by_epoch=False, interval=1, max_keep_ckpts=-1)
    straight = _trained('candidate_labels', data, tmp_path / 'straight', monkeypatch, checkpoint=by_iteration)
    (tmp_path / 'straight' / 'iter_16.pth').rename(tmp_path / 'end.pth')  # 8 epochs of 2 steps
    resumed = _trained(
        'candidate_labels', data, tmp_path / 'resumed', monkeypatch, resume=tmp_path / 'straight' / 'iter_3.pth'
    )
    assert torch.equal(straight.model.head.refined.rows, resumed.model.head.refined.rows)
    for key, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key
    stored = torch.load(tmp_path / 'end.pth', weights_only=False)
    assert torch.equal(stored['sample_memory']['head.refined']['rows'], straight.model.head.refined.rows)
    assert not any('refined' in key for key in stored['state_dict'])  # a test needs no memory
    del stored['sample_memory']
    torch.save(stored, tmp_path / 'end.pth')
    with pytest.raises(ValueError, match=r"remembers samples in \['head.refined'\], the checkpoint in \[\]"):
        _trained('candidate_labels', data, tmp_path / 'refused', monkeypatch, resume=tmp_path / 'end.pth')


@pytest.mark.parametrize('name', PLUGINS)
def test_plugins_are_short(name: str) -> None:
    text = (HERE / f'{name}.py').read_text()
    num_lines = len(text.splitlines())
    assert num_lines <= LONGEST_MODULE
    assert f'| `{name}.py` | {num_lines} |' in (HERE.parents[1] / 'docs' / 'streams.md').read_text()
    for node in ast.parse(text).body:
        bases = {ast.unparse(base) for base in node.bases} if isinstance(node, ast.ClassDef) else set()
        if bases & {'BaseObjective', 'BaseFusion'}:
            assert (node.end_lineno or 0) - node.lineno < LONGEST_PART


def _train_on_a_rank(rank: int, data: str, folder: str, port: int) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        CUDA_VISIBLE_DEVICES='', PLUGIN_DATA=data,
    )  # fmt: skip
    cfg = Config.fromfile(HERE / 'configs' / 'candidate_labels.py')
    cfg.merge_from_dict(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='gloo')), work_dir=folder))
    cfg.train_dataloader.batch_size = 2  # 4 on both
    cfg.randomness = dict(seed=0)
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    runner = build_runner(cfg)
    runner.train()
    torch.save(runner.model.module.head.refined.rows, Path(folder) / f'{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.dist
def test_two_ranks_remember_as_much_as_one(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        port = server.getsockname()[1]
    torch.multiprocessing.spawn(_train_on_a_rank, (str(data), str(tmp_path), port), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert torch.equal(first, second)
    checkpoint = tmp_path / 'epoch_4.pth'
    assert torch.equal(
        torch.load(tmp_path / 'epoch_8.pth', weights_only=False)['sample_memory']['head.refined']['rows'], first
    )
    resumed = _trained('candidate_labels', data, tmp_path / 'one', monkeypatch, resume=checkpoint)  # on one rank
    torch.testing.assert_close(resumed.model.head.refined.rows, first, rtol=0, atol=1e-5)
