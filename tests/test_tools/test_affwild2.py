"""Aff-Wild2: annotations of every form, folders of faces with gaps, videos of two people, windows."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from hicmae_mm.datasets.corpora.affwild2 import ACTION_UNITS, EXPRESSIONS
from hicmae_mm.registry import DATASETS
from tests.conftest import MediaFolder
from tests.test_tools.converters import load_converter

PART = 'Third ABAW Annotations/{}/{}_Set/{}.txt'


def write_lines(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')


def write_faces(folder: Path, *numbers: int) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(folder / f'{number:05d}.jpg'), np.full((8, 8, 3), 10 * number, np.uint8))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / 'Aff-Wild2'
    write_lines(
        root / PART.format('VA_Estimation_Challenge', 'Train', '1-30'),
        'valence,arousal', '0.5,-0.5', '-5,-5', '0.25,0', '-5,0.1', '1,-1',
    )  # fmt: skip
    write_lines(
        root / PART.format('VA_Estimation_Challenge', 'Validation', 'video5_left'), 'valence,arousal', '0.1,0.2', '0,0'
    )
    write_lines(
        root / PART.format('EXPR_Recognition_Challenge', 'Train', '1-30'), ','.join(EXPRESSIONS),
        '7', '1', '-1', '3', '0',
    )  # fmt: skip
    units = ['0'] * 11 + ['1']
    write_lines(
        root / PART.format('AU_Detection_Challenge', 'Train', '1-30'), ','.join(ACTION_UNITS), ','.join(units),
        ','.join(['-1'] * 12),
    )  # fmt: skip
    write_lines(
        root / 'MTL_Challenge' / 'train_set.txt',
        ','.join(['image', 'valence', 'arousal', 'expression', *ACTION_UNITS]),
        ','.join(['1-30/00003.jpg', '0.5', '0.5', '4', *units]),
        ','.join(['1-30/00001.jpg', '-5', '-5', '-1', *units]),
    )
    write_faces(root / 'cropped_aligned' / '1-30', 1, 3, 4, 5, 7)  # no face in 2 and 6; 7 has no annotation
    write_faces(root / 'cropped_aligned' / 'video5_left', 1, 2)
    return root


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_labels_belong_to_the_pictures_that_are_there(corpus: Path, tmp_path: Path, capsys) -> None:
    out, main = tmp_path / 'lists', load_converter('affwild2').main
    assert main([str(corpus), '--out-dir', str(out), '--window', '3']) == 0
    assert 'VA, train: 1 videos, 5 frames (2 without label), 2 windows' in capsys.readouterr().out
    mood = np.load(out / 'va' / 'targets' / '1-30_valence_arousal.npy')
    np.testing.assert_array_equal(mood, np.float32([[0.5, -0.5], [0.25, 0], [-5, -5], [1, -1], [-5, -5]]))
    assert np.load(out / 'expr' / 'targets' / '1-30_expression.npy').tolist() == [7, -1, 3, 0, -1]
    units = np.load(out / 'au' / 'targets' / '1-30_action_units.npy')
    assert units.tolist() == [[0] * 11 + [1]] + [[-1] * 12] * 4
    first, second = rows_of(out / 'va' / 'train.csv')
    assert (first['sample_id'], first['first_frame'], first['num_frames']) == ('1-30@0', '0', '3')
    assert (second['sample_id'], second['first_frame'], second['num_frames']) == ('1-30@3', '3', '2')
    assert np.load(out / 'mtl' / 'targets' / '1-30_expression.npy').tolist() == [-1, 4, -1, -1, -1]
    (window,) = rows_of(out / 'va' / 'validation.csv')
    assert window['valence_arousal'] == 'targets/video5_left_valence_arousal.npy'
    # the window is read as it is written
    pipeline = [
        dict(type='OpenVideo', frame_folder_fps=30),
        dict(type='SampleClips', mode='test', clip_len=2, frame_interval=1),
        dict(type='DecodeFrames'),
        dict(type='LoadFrameTargets', field='valence_arousal', ignore=-5),
    ]
    dataset = DATASETS.build(
        dict(type='AffWild2', ann_file='train.csv', data_root=str(out / 'va'), streams=('video',), pipeline=pipeline)
    )
    sample = dataset[1]
    assert [int(frame.mean() + 0.5) for frame in sample['imgs']] == [50, 70]
    np.testing.assert_array_equal(sample['targets']['valence_arousal'], mood[3:])


def test_videos_of_two_people(corpus: Path, media: MediaFolder, tmp_path: Path) -> None:
    for name in ('1-30', 'video5'):
        media.video(f'{name}.mp4', num_frames=8, height=16, width=16)
    out, main = tmp_path / 'lists', load_converter('affwild2').main
    options = ['--video-dir', str(media.root), '--video-suffix', '.mp4', '--challenges', 'VA']
    assert main([str(corpus), '--out-dir', str(out), *options]) == 0
    (row,) = rows_of(out / 'va' / 'validation.csv')
    assert Path(row['video']).name == 'video5.mp4'
    assert (row['recording'], row['num_frames']) == ('video5_left', '2')
    assert np.load(out / 'va' / 'targets' / '1-30_valence_arousal.npy').shape == (5, 2)


@pytest.mark.parametrize(
    ('challenge', 'lines', 'message'),
    [
        ('VA_Estimation_Challenge', ('valence,arousal', '2,0'), 'must be in -1..1'),
        ('VA_Estimation_Challenge', ('valence,arousal', '0.5'), r'line 2: expected 2 numbers, got .0\.5'),
        ('VA_Estimation_Challenge', ('arousal,valence', '0,0'), 'expected the header valence,arousal'),
        ('EXPR_Recognition_Challenge', (','.join(EXPRESSIONS), '8'), 'from 0 to 7'),
        ('AU_Detection_Challenge', (','.join(ACTION_UNITS), ','.join(['2'] * 12)), 'from 0 to 1'),
    ],
)
def test_malformed_annotations(challenge: str, lines: tuple[str, ...], message: str, tmp_path: Path, capsys) -> None:
    write_lines(tmp_path / PART.format(challenge, 'Train', 'a'), *lines)
    write_faces(tmp_path / 'cropped_aligned' / 'a', 1)
    assert load_converter('affwild2').main([str(tmp_path), '--out-dir', str(tmp_path / 'lists')]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_what_is_missing_is_named(corpus: Path, tmp_path: Path, capsys) -> None:
    main = load_converter('affwild2').main
    (corpus / 'cropped_aligned' / 'video5_left').rename(tmp_path / 'elsewhere')
    assert main([str(corpus), '--out-dir', str(tmp_path / 'lists'), '--challenges', 'VA']) == 1
    assert 'video5_left' in capsys.readouterr().err
    assert main([str(tmp_path / 'elsewhere'), '--out-dir', str(tmp_path / 'lists')]) == 1
    assert 'has no annotations of VA, EXPR, AU, MTL' in capsys.readouterr().err
    assert main([str(corpus), '--out-dir', str(tmp_path / 'lists'), '--streams', 'audio']) == 1
    assert 'Aff-Wild2 has no lists of sound: leave --streams out' in capsys.readouterr().err
