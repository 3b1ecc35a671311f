"""RAVDESS's converter on the names of all its files: 1200 / 240 clips in each fold, no actor in both parts."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from tests.test_tools.converters import load_converter, read_lists

FOLDS = [f'fold{k}' for k in range(1, 7)]
# of one actor: 60 clips, 4 neutral ones and 8 of every other emotion
NUM_CLIPS = {0: 4, **dict.fromkeys(range(1, 8), 8)}


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All speech, songs of three emotions, video in both modalities; empty files."""
    root = tmp_path_factory.mktemp('ravdess')
    for actor in range(1, 25):
        folder = f'Actor_{actor:02d}'
        for channel, emotions in (('01', range(1, 9)), ('02', range(1, 4))):
            kind = {'01': 'Speech', '02': 'Song'}[channel]
            sounds = root / f'Audio_{kind}_Actors_01-24' / folder
            videos = root / f'Video_{kind}_Actor_{actor:02d}' / folder
            sounds.mkdir(parents=True)
            videos.mkdir(parents=True)
            for emotion, intensity, rest in product(emotions, (1, 2), ('01-01', '01-02', '02-01', '02-02')):
                if emotion == 1 and intensity == 2:
                    continue
                name = f'{channel}-{emotion:02d}-{intensity:02d}-{rest}-{actor:02d}'
                (sounds / f'03-{name}.wav').touch()
                for modality in ('01', '02'):
                    (videos / f'{modality}-{name}.mp4').touch()
    return root


def convert(root: Path, out_dir: Path, *options: str) -> dict[str, dict[str, list[list[str]]]]:
    assert load_converter('ravdess').main([str(root), '--out-dir', str(out_dir), '--no-check-media', *options]) == 0
    return read_lists(out_dir)


def test_every_fold_tests_its_four_actors_on_1440_clips(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    lists = convert(root, tmp_path, '--video-dir', '.', '--video-suffix', '.mp4')
    assert capsys.readouterr().out.count('train/test 1200/240, as published') == 6
    assert list(lists) == FOLDS
    files = {str(path.resolve()) for path in root.rglob('*') if path.is_file()}
    for k, parts in enumerate(lists.values(), start=1):
        actors = {part: {int(Path(row[0]).stem[-2:]) for row in rows} for part, rows in parts.items()}
        assert actors['test'] == {4 * k - 3, 4 * k - 2, 4 * k - 1, 4 * k}
        assert actors['train'] == set(range(1, 25)) - actors['test']
        rows = parts['train'] + parts['test']
        assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == 1440
        assert {path for row in rows for path in row[:2]} <= files
        for video, audio, label in rows:
            modality, channel, emotion, *_ = Path(video).stem.split('-')
            assert (modality, channel, int(emotion) - 1) == ('01', '01', int(label))
            assert Path(audio).stem == f'03-{Path(video).stem[3:]}'
        assert Counter(int(row[2]) for row in parts['test']) == {label: 4 * n for label, n in NUM_CLIPS.items()}


def test_modalities_of_the_published_lists(root: Path, tmp_path: Path) -> None:
    video, audio, label = convert(root, tmp_path, '--video-modality', '02')['fold1']['test'][0]
    assert video == f'{root}/face_aligned/Actor_01/02-01-01-01-01-01-01'  # where it would be
    assert audio == f'{root}/Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav'
    assert label == '0'


def test_own_sound_tracks(root: Path, tmp_path: Path) -> None:
    options = ('--video-dir', '.', '--video-suffix', '.mp4', '--audio-dir', '-')
    video, audio, _ = convert(root, tmp_path, *options)['fold6']['test'][-1]
    assert video == f'{root}/Video_Speech_Actor_24/Actor_24/01-01-08-02-02-02-24.mp4'
    assert audio == '-'


def test_missing_files_are_counted_and_named(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert load_converter('ravdess').main([str(root), '--out-dir', str(tmp_path / 'lists')]) == 1
    error = capsys.readouterr().err
    assert '2880 of 2880 media are missing or empty' in error
    assert '03-01-01-01-01-01-01.wav' in error
    assert not (tmp_path / 'lists').exists()
