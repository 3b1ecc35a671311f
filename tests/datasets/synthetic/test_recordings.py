from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.datasets.synthetic import (
    COMPOUNDS,
    CorpusConfig,
    RecordingConfig,
    write_compounds,
    write_corpus,
    write_descriptions,
    write_recordings,
)
from hicmae_mm.datasets.synthetic.recordings import ACTION_UNITS, VALENCE_AROUSAL
from hicmae_mm.datasets.transforms import DescribeClip


def test_recordings_have_a_label_for_every_frame(tmp_path: Path) -> None:
    config = CorpusConfig(
        num_train_actors=1,
        num_train_takes=1,
        num_unlabelled_takes=0,
        num_test_actors=1,
        num_test_takes=1,
        image_size=32,
    )
    list(write_corpus(tmp_path, config, num_workers=0))
    list(write_recordings(tmp_path, RecordingConfig(image_size=32, window=16, train_window=24, train_step=16)))
    folder = tmp_path / 'recordings'
    rows = list(csv.DictReader((folder / 'test.csv').open()))
    assert rows
    video = open_video(folder / rows[0]['video'])
    num_frames = video.num_frames
    video.close()
    labels = {name: np.load(folder / rows[0][name]) for name in ('expression', 'valence_arousal', 'action_units')}
    assert [len(value) for value in labels.values()] == [num_frames] * 3
    assert labels['action_units'].shape[1] == len(ACTION_UNITS)
    assert set(np.unique(labels['expression'])) == {-1, *range(len(VALENCE_AROUSAL))}
    known = labels['expression'] >= 0
    assert (labels['valence_arousal'][known] >= -1).all()
    assert (labels['valence_arousal'][~known] == -5).all()
    write_descriptions(tmp_path)
    described = list(csv.DictReader((tmp_path / 'test_described.csv').open()))
    assert [int(row['label']) for row in described] == [0, 1, 2, 3, 4, 5]
    smiles = [float(row['AU12']) for row in described]
    assert min(smiles[3], smiles[4]) == 1.0  # HAP and NEU smile, the others do not
    assert max(smiles[:3] + smiles[5:]) == 0.0
    assert float(described[3]['valence']) > 0.7
    vocabulary = set((tmp_path / 'described_words.txt').read_text().split())
    describe = DescribeClip('text', action_units={name: name for name in ACTION_UNITS}, field='all')
    assert all(set(describe(dict(columns=row))['columns']['all'].split()) <= vocabulary for row in described)
    check_compounds(tmp_path, vocabulary, describe)


def check_compounds(folder: Path, vocabulary: set[str], describe: DescribeClip) -> None:
    assert Config.fromfile('configs/compound/compounds_nano_synthetic.py').compounds == COMPOUNDS
    assert list(write_compounds(folder))[-1] == 12
    rows = list(csv.DictReader((folder / 'compounds' / 'test.csv').open()))
    described = {row['sample_id']: row for row in csv.DictReader((folder / 'test_described.csv').open())}
    assert [int(row['label']) for row in rows] == [0, 1, 2, 3, 4, 5]
    for row in rows:
        *actor, first, second = row['sample_id'].split('_')
        assert set(COMPOUNDS[int(row['label'])]) == {first, second}
        parts = [described['_'.join([*actor, emotion])] for emotion in (first, second)]
        assert row['text'] == ' '.join(part['text'] for part in parts)
        assert all(float(row[unit]) == max(float(part[unit]) for part in parts) for unit in ACTION_UNITS)
        assert set(describe(dict(columns=row))['columns']['all'].split()) <= vocabulary
        lengths = []
        for path in (folder / 'compounds' / row['video'], *(folder / part['video'] for part in parts)):
            video = open_video(path)
            lengths.append(video.num_frames)
            video.close()
        assert lengths[0] == sum(-(-length // 2) for length in lengths[1:])  # every second frame of each part


def test_a_folder_without_a_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='has no corpus.json; make the corpus first'):
        list(write_recordings(tmp_path, RecordingConfig()))
