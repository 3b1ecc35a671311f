"""``pseudo_label.py`` as a command: the clips are told apart by colour and pitch, so that the labels are right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.datasets import AudioVisualDataset
from hicmae_mm.datasets.pseudo_labels import pseudo_labels
from tests.test_tools.command import run_tool


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_tool('pseudo_label.py', *arguments, check=False)


@pytest.fixture(scope='module')
def lists(corpus: Path) -> Path:
    lines = (corpus / 'clips.txt').read_text().splitlines()
    (corpus / 'labelled.txt').write_text('\n'.join(lines[:12]) + '\n')
    (corpus / 'unlabelled.txt').write_text('\n'.join(' '.join(line.split()[:2]) for line in lines[12:]) + '\n')
    return corpus


@pytest.mark.slow
def test_train_label_and_train_again(lists: Path, config_file: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / 'semi'
    options = ['train_dataloader.dataset.ann_file=labelled.txt', 'train_cfg.max_epochs=4']
    arguments = [
        config_file,
        '--unlabelled',
        lists / 'unlabelled.txt',
        '--threshold',
        '0.5',
        '--work-dir',
        work_dir,
        '--cfg-options',
        *options,
    ]
    found = run(*arguments)
    assert found.returncode == 0, found.stderr
    rows = [json.loads(line) for line in (work_dir / 'round1' / 'pseudo_labels.jsonl').read_text().splitlines()]
    assert f'round 1: {len(rows)} clips are labelled' in found.stdout
    right = [int(Path(row['video']).stem) % 2 == row['label'] for row in rows]
    assert rows
    assert sum(right) / len(right) > 0.7
    datasets = Config.fromfile(work_dir / 'round1' / 'train.py').train_dataloader.dataset.datasets
    assert [Path(dataset.ann_file).name for dataset in datasets] == ['labelled.txt', 'pseudo_labels.jsonl']
    assert (work_dir / 'round1' / 'last_checkpoint').is_file()
    again = run(*arguments)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count('was finished before') == 3


def dataset(folder: Path) -> AudioVisualDataset:
    rows = [
        dict(video='a.mp4', audio='a.wav', film='x'),
        dict(video='b.mp4', start=1.5, end=3.0, film='y'),
        dict(sample_id='c', film='z'),
    ]
    (folder / 'list.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n')
    return AudioVisualDataset('list.jsonl', [], str(folder), task='unlabelled')


def sample(index: int, *scores: float, **more: Any) -> dict[str, Any]:
    return dict(sample_idx=index, pred_score=torch.tensor(scores), **more)


def test_rows_of_the_clips_that_a_model_is_sure_of(tmp_path: Path) -> None:
    unlabelled = dataset(tmp_path)
    samples = [
        sample(0, 0.9, 0.1, pred_values=torch.tensor([0.5])),
        sample(1, 0.2, 0.8, pred_values=torch.tensor([-1.0])),
        sample(2, 0.5, 0.5),
    ]
    labels = pseudo_labels(unlabelled, samples, 0.75)
    assert labels.counts == {0: 1, 1: 1}
    assert labels.highest == pytest.approx(0.9)
    (tmp_path / 'pseudo.jsonl').write_text('\n'.join(map(json.dumps, labels.rows)) + '\n')
    again = AudioVisualDataset(
        str(tmp_path / 'pseudo.jsonl'),
        [],
        'elsewhere',
        task='multitask',
        metainfo=dict(dimensions=('valence',)),
        num_classes=2,
    )
    for index, (label, value) in enumerate(((0, 0.5), (1, -1.0))):
        before, after = unlabelled.get_data_info(index), again.get_data_info(index)
        assert (after['gt_label'], list(after['gt_values'])) == (label, [value])
        assert after['sample_id'] == before['sample_id']
        assert after['film'] == before['film']
        assert after['video_path'] == str(Path(before['video_path']).absolute())
        assert after.get('span') == before.get('span')
    (tmp_path / 'names.csv').write_text('sample_id\nfirst\nsecond\n')  # clips of features only
    names = AudioVisualDataset('names.csv', [], str(tmp_path), task='unlabelled', streams=('audio', 'text'))
    found = pseudo_labels(names, [sample(1, 0.1, 0.9, pred_values=torch.tensor([0.5]))], 0.75)
    assert found.rows == [dict(sample_id='second', label=1, values=0.5)]
    with pytest.raises(ValueError, match='pseudo-labels need a model of classes'):
        pseudo_labels(unlabelled, [dict(sample_idx=0, sample_id='a')], 0.5)


@pytest.mark.slow
def test_errors_are_one_line(config_file: Path, tmp_path: Path) -> None:
    found = run(config_file, '--unlabelled', tmp_path / 'no.txt', '--work-dir', tmp_path)
    assert found.returncode == 1
    assert found.stderr.strip().endswith('no.txt does not exist')
    assert len(found.stderr.strip().splitlines()) == 1
    found = run(config_file, '--unlabelled', tmp_path / 'no.txt', '--threshold', '2')
    assert found.returncode == 2
    assert '--threshold is above 0 and at most 1' in found.stderr
