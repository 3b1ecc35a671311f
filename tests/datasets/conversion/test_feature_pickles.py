"""Feature files of MOSI, MOSEI and SIMS, made here in the form of the public ones."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets import AudioVisualDataset
from tests.test_tools.modules import load_tool

TOOL = 'dataset_converters/feature_pickles.py'
COUNT = 3


def split(seed: int, has_objects: bool = False, **changes: Any) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    mask = np.arange(6) < np.array([[5], [3], [6]])
    names = [f'film{seed}$_${number}' for number in range(COUNT)]
    return (
        dict(
            id=np.array(names, dtype=object) if has_objects else names,
            raw_text=np.array(['well, "good"', '\u4f60\u597d', 'no']),
            text=generator.normal(size=(COUNT, 6, 4)).astype(np.float32),
            text_bert=np.stack([mask * 9, mask, mask * 0], axis=1).astype(np.float32),
            audio=generator.normal(size=(COUNT, 8, 5)),
            vision=generator.normal(size=(COUNT, 7, 2)),
            audio_lengths=[8, 2, 4],
            vision_lengths=[7, 1, 3],
            regression_labels=np.array([-1.5, 0.0, 3.0]),
            classification_labels=np.array([0, 1, 2]),
        )
        | changes
    )


def write(path: Path, protocol: int = 4, **splits: dict[str, Any]) -> Path:
    path.write_bytes(pickle.dumps(splits, protocol=protocol))
    return path


@pytest.mark.parametrize('has_objects', [True, False], ids=['objects', 'lists'])
def test_features_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture, has_objects: bool) -> None:
    train, test = split(0, has_objects), split(1, has_objects, regression_labels_T=np.array([1.0, 0.5, -1.0]))
    train['audio'][1, 1, 2] = -np.inf
    source = write(tmp_path / 'a.pkl', 4 if has_objects else 2, train=train, test=test)
    out = tmp_path / 'out'
    assert load_tool(TOOL).main([str(source), '--out-dir', str(out)]) == 0
    printed = capsys.readouterr().out
    assert 'train: 3 clips; longest sequences: text 6, audio 8, video 7' in printed
    assert 'train: 1 values were not finite and are 0 now' in printed
    lengths = {
        stream: [len(np.load(out / 'features' / stream / f'film0$_${number}.npy')) for number in range(COUNT)]
        for stream in ('text', 'audio', 'video')
    }
    assert lengths == {'text': [5, 3, 6], 'audio': [8, 2, 4], 'video': [7, 1, 3]}
    expected = np.where(np.isfinite(train['audio'][1, :2]), train['audio'][1, :2], 0).astype(np.float32)
    assert np.array_equal(np.load(out / 'features' / 'audio' / 'film0$_$1.npy'), expected)

    pipeline = [
        dict(type='LoadFeature', stream=stream, source=f'features/{stream}', level='frame')
        for stream in ('text', 'audio', 'video')
    ]
    pack = dict(type='PackStreams', arrays=(), sequences={name: name for name in ('text', 'audio', 'video')})
    dataset = AudioVisualDataset(
        'test.jsonl',
        [*pipeline, pack],
        str(out),
        task='regression',
        streams=('text', 'audio', 'video'),
        metainfo=dict(dimensions=('sentiment',)),
    )
    packed = dataset[2]
    assert {name: stream.values.shape for name, stream in packed['inputs'].items()} == {
        'text': (1, 6, 4),
        'audio': (1, 4, 5),
        'video': (1, 3, 2),
    }
    assert packed['data_samples'].gt_values.tolist() == [3.0]
    assert dataset.get_data_info(0)['sentiment_text'] == 1.0


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path('ran'),)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(train=split(0, text=Evil())), 'cannot be read: it asks for pathlib'),
        (dict(other=1), 'has none of the splits'),
        ([1], 'has none of the splits'),
        (dict(train=dict(id=['a'])), r"the split 'train' lacks \['text', 'audio', 'vision', 'regression_labels'\]"),
        (dict(train=split(0, id=['a', 'b', 'a'])), 'two clips have the same name'),
        (dict(train=split(0, audio=np.zeros((2, 3)))), r'audio must be numbers \(3, T, D\), got float64 \(2, 3\)'),
        (dict(train=split(0, audio_lengths=[1])), '1 lengths of audio, but 3 clips'),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, content: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content, protocol=4))
    assert load_tool(TOOL).main(['a.pkl', '--out-dir', 'out']) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / 'ran').exists()
    assert list((tmp_path / 'out').glob('*.jsonl')) == []


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert load_tool(TOOL).main([str(tmp_path / 'no.pkl'), '--out-dir', str(tmp_path)]) == 1
    assert capsys.readouterr().err.strip().endswith('no.pkl does not exist')
