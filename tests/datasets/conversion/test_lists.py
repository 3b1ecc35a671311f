from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    cross_validation,
    find_by_stem,
    has_content,
    listing,
    read_rows,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS, Protocol


def arguments(root: Path, out_dir: Path, *options: str) -> argparse.Namespace:
    parser = converter_parser('Lists', video_dir='frames', audio_dir='sound')
    return parser.parse_args([str(root), '--out-dir', str(out_dir), *options])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three clips, one of them below a folder; frames of `b` are empty."""
    root = tmp_path / 'corpus'
    for name in ('a', 'b', 'actor/c'):
        sound = root / 'sound' / f'{name}.wav'
        sound.parent.mkdir(parents=True, exist_ok=True)
        sound.write_bytes(b'RIFF')
        (root / 'frames' / name).mkdir(parents=True)
        if name != 'b':
            (root / 'frames' / name / '1.jpg').write_bytes(b'jpeg')
    return root


def test_layout_names_and_places_clips(root: Path, tmp_path: Path) -> None:
    layout = MediaLayout.from_args(arguments(root, tmp_path))
    assert layout.names() == ['a', 'actor/c', 'b']
    clip = layout.clip('actor/c', 3, 0.5)
    assert clip == Clip(f'{root}/frames/actor/c', f'{root}/sound/actor/c.wav', (3, 0.5))
    own_sound = MediaLayout.from_args(arguments(root, tmp_path, '--audio-dir', '-'))
    assert own_sound.names() == ['a', 'actor/c']  # folders with frames in them
    assert own_sound.clip('a', 1).audio is None
    videos = MediaLayout.from_args(arguments(root, tmp_path, '--video-suffix', '.flv', '--video-dir', 'VideoFlash'))
    assert videos.clip('a').video == f'{root}/VideoFlash/a.flv'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--audio-dir', 'wav'), 'wav does not exist; --audio-dir names'),
        (('--audio-suffix', '.flac'), r'has no file \*.flac; --audio-suffix'),
        (('--audio-dir', '-', '--video-dir', 'faces'), 'faces does not exist; --video-dir names'),
    ],
)
def test_layout_says_what_is_not_there(root: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message):
        MediaLayout.from_args(arguments(root, tmp_path, *options)).names()


def folds_of(root: Path, train: str, test: str) -> dict[str, dict[str, list[Clip]]]:
    layout = MediaLayout(root, 'frames', '', 'sound', '.wav')
    return {'fold1': {'train': [layout.clip(train, 0)], 'test': [layout.clip(test, 1)]}}


def test_lists_are_written_relative_to_their_folder_or_absolute(root: Path, tmp_path: Path) -> None:
    write_folds(arguments(root, tmp_path / 'lists'), folds_of(root, 'a', 'actor/c'))
    assert (tmp_path / 'lists/fold1/train.csv').read_text() == f'{root}/frames/a {root}/sound/a.wav 0\n'
    write_folds(arguments(root, root), folds_of(root, 'a', 'actor/c'))
    assert (root / 'fold1/train.csv').read_text() == 'frames/a sound/a.wav 0\n'
    assert (root / 'fold1/test.csv').read_text() == 'frames/actor/c sound/actor/c.wav 1\n'
    assert not list(root.rglob('*.part'))


def test_values_and_own_sound_tracks(tmp_path: Path) -> None:
    clips = [Clip('/v/a.mp4', None, (2, 0.1 + 0.2, -1.0)), Clip('/v/b.mp4', None)]
    write_folds(arguments(tmp_path, tmp_path, '--no-check-media'), {'fold1': {'train': clips}})
    assert (tmp_path / 'fold1/train.csv').read_text() == '/v/a.mp4 - 2 0.3 -1\n/v/b.mp4 -\n'


def test_missing_media_stop_the_conversion_and_leave_older_lists(root: Path, tmp_path: Path) -> None:
    out_dir = tmp_path / 'lists'
    write_folds(arguments(root, out_dir), folds_of(root, 'a', 'actor/c'))
    before = (out_dir / 'fold1/test.csv').read_bytes()
    with pytest.raises(FileNotFoundError, match=r'1 of 4 media are missing or empty: .*frames/b; nothing was written'):
        write_folds(arguments(root, out_dir), folds_of(root, 'a', 'b'))
    assert (out_dir / 'fold1/test.csv').read_bytes() == before


def test_missing_media_can_be_left_out(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folds = folds_of(root, 'a', 'b')
    folds['fold1']['test'].append(Clip(f'{root}/frames/actor/c', f'{root}/sound/actor/c.wav', (1,)))
    args = arguments(root, tmp_path / 'lists', '--allow-missing')
    write_folds(args, folds, Protocol({'fold1': (1, 2)}))
    assert (tmp_path / 'lists/fold1/test.csv').read_text().count('\n') == 1
    printed = capsys.readouterr().out
    assert 'left out: 1 of 6 media' in printed
    assert 'fold1: train/test 1/1, published: 1/2' in printed
    write_folds(args, folds_of(root, 'a', 'actor/c'), Protocol({'fold1': (1, 1)}))
    assert 'fold1: train/test 1/1, as published' in capsys.readouterr().out
    with pytest.raises(ValueError, match='fold1/test would be empty'):
        write_folds(args, folds_of(root, 'a', 'b'))


def test_folds_are_checked(tmp_path: Path) -> None:
    args = arguments(tmp_path, tmp_path / 'lists', '--no-check-media')
    a, b, spaced = Clip('/v/a', '/a/a.wav', (0,)), Clip('/v/b', '/a/b.wav', (0,)), Clip('/v/my b', '/a/b.wav', (0,))
    for parts, message in (
        ({'train': [a, b], 'test': [a]}, '/v/a is in train and again in test'),
        ({'train': [a, a], 'test': [b]}, '/v/a is in train and again in train'),
        ({'train': [a], 'test': []}, 'fold1/test would be empty'),
        ({'train': [a], 'test': [spaced]}, "'/v/my b': lists separate columns by white space"),
    ):
        with pytest.raises(ValueError, match=message):
            write_folds(args, {'fold1': parts})
    assert not (tmp_path / 'lists').exists()


def test_lists_can_keep_to_the_clips_of_given_ones(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / 'published.csv').write_text('/else/openface/a/a_aligned /else/a.wav 0\n/else/z /else/z.wav 1\n\n')
    (tmp_path / 'other.csv').write_text('frames/c sound/c.wav 2\n')
    args = arguments(tmp_path, tmp_path, '--no-check-media')
    args.only = [tmp_path / 'published.csv', tmp_path / 'other.csv']
    clips = {name: Clip(f'/v/{name}', f'/a/{name}.wav', (0,)) for name in 'abc'}
    write_folds(args, {'fold1': {'train': [clips['a'], clips['b']], 'test': [clips['c']]}})
    assert (tmp_path / 'fold1/train.csv').read_text() == '/v/a /a/a.wav 0\n'
    assert (tmp_path / 'fold1/test.csv').read_text() == '/v/c /a/c.wav 0\n'
    assert 'kept to 2 of 3 clips by --only, which names 1 others' in capsys.readouterr().out
    own_sound = Clip('/v/a.mp4', None, (0,))
    write_folds(args, {'fold1': {'train': [own_sound]}})
    assert (tmp_path / 'fold1/train.csv').read_text() == '/v/a.mp4 - 0\n'
    (tmp_path / 'other.csv').write_text('lonely\n')
    with pytest.raises(ValueError, match=r"other\.csv, line 1: expected 'video audio label', got 'lonely'"):
        write_folds(args, {'fold1': {'train': [clips['a']]}})
    args.only = [tmp_path / 'none.csv']
    with pytest.raises(FileNotFoundError, match=r'--only .*none\.csv does not exist'):
        write_folds(args, {'fold1': {'train': [clips['a']]}})


def test_problems_end_in_one_line(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def convert(args: argparse.Namespace) -> None:
        raise ValueError(f'nothing to do for {args.out_dir.name}')

    parser = converter_parser('Lists', video_dir='frames', audio_dir='sound')
    assert run_converter(parser, convert, [str(root), '--out-dir', 'lists']) == 1
    assert capsys.readouterr().err == 'error: nothing to do for lists\n'
    assert run_converter(parser, lambda args: None, [str(root), '--out-dir', str(tmp_path)]) == 0


def test_listing_names_the_first_few() -> None:
    assert listing(['b', 'a']) == 'a, b'
    assert listing(f'{number:02d}' for number in range(12)).endswith('08, 09 and 2 more')


def test_media_are_found_by_name_whichever_folder_they_lie_in(root: Path) -> None:
    assert find_by_stem(root / 'sound', '.wav') == {
        'a': f'{root}/sound/a.wav',
        'b': f'{root}/sound/b.wav',
        'c': f'{root}/sound/actor/c.wav',
    }
    assert find_by_stem(root / 'frames', '') == {'a': f'{root}/frames/a', 'c': f'{root}/frames/actor/c'}
    assert find_by_stem(root / 'nothing', '') == find_by_stem(root / 'nothing', '.wav') == {}
    (root / 'sound' / 'actor' / 'a.wav').write_bytes(b'RIFF')
    with pytest.raises(ValueError, match=r'a\.wav and .*a\.wav have the same name'):
        find_by_stem(root / 'sound', '.wav')


def test_rows_come_with_their_place(tmp_path: Path) -> None:
    table = tmp_path / 'table.csv'
    table.write_bytes('\ufeffname,label\r\n\r\n"a b", 3\r\n'.encode())
    assert list(read_rows(table, ',')) == [(f'{table}, line 1', ['name', 'label']), (f'{table}, line 3', ['a b', '3'])]
    table.write_text('a.mp4  anger \n\n"b".mp4\tfear')
    assert [fields for _, fields in read_rows(table)] == [['a.mp4', 'anger'], ['"b".mp4', 'fear']]
    with pytest.raises(FileNotFoundError, match=r'nothing\.csv does not exist; is DATA_ROOT the corpus'):
        list(read_rows(tmp_path / 'nothing.csv'))


def test_a_fold_tests_its_clips_and_trains_on_all_others() -> None:
    a, b, c = (Clip(name, None, (0,)) for name in 'abc')
    assert cross_validation(iter([(2, a), (1, b), (2, c)]), 2) == {
        'fold1': {'train': [a, c], 'test': [b]},
        'fold2': {'train': [b], 'test': [a, c]},
    }


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        (('--streams', 'audio'), '- {root}/sound/a.wav 0\n'),
        (('--streams', 'video'), '{root}/frames/a - 0\n'),
        (('--streams', 'audio', 'video'), '{root}/frames/a {root}/sound/a.wav 0\n'),
        (('--streams', 'both'), '{root}/frames/a {root}/sound/a.wav 0\n'),
        (('--streams', 'audio', '--audio-dir', '-'), '- {root}/frames/a 0\n'),  # the sound is in the video
        (('--streams', 'video', '--audio-dir', '-'), '{root}/frames/a - 0\n'),
    ],
)
def test_streams_are_listed_as_chosen(root: Path, tmp_path: Path, options: tuple[str, ...], line: str) -> None:
    args = arguments(root, tmp_path / 'lists', *options)
    layout = MediaLayout.from_args(args)
    write_folds(args, {'fold1': {'train': [layout.clip('a', 0)]}})
    assert (tmp_path / 'lists/fold1/train.csv').read_text() == line.format(root=root)


def test_only_the_media_of_the_streams_chosen_must_be_there(root: Path, tmp_path: Path) -> None:
    args = arguments(root, tmp_path / 'lists', '--streams', 'audio')
    write_folds(args, folds_of(root, 'a', 'b'))  # frames of b are empty
    args.streams = ['video']
    with pytest.raises(FileNotFoundError, match=r'1 of 2 media are missing or empty: .*frames/b'):
        write_folds(args, folds_of(root, 'a', 'b'))
    assert MediaLayout.from_args(args).names() == ['a', 'actor/c']  # those with frames


def test_pointers_and_pages_in_place_of_media_are_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (root / 'sound' / 'a.wav').write_bytes(b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')
    args = arguments(root, tmp_path / 'lists')
    message = r"1 of 4 media are stand-ins, such as .*a\.wav: a Git LFS pointer, .* 'git lfs pull'.*; and 1 are missing"
    with pytest.raises(FileNotFoundError, match=message):
        write_folds(args, folds_of(root, 'a', 'b'))
    (root / 'frames' / 'actor' / 'c' / '1.jpg').write_bytes(b'<!DOCTYPE html><html></html>')
    with pytest.raises(FileNotFoundError, match=r'actor/c: a web page'):
        write_folds(args, {'fold1': folds_of(root, 'actor/c', 'a')['fold1'] | {'test': []}})
    args.allow_missing = True
    folds = folds_of(root, 'a', 'actor/c')
    (root / 'frames' / 'actor' / 'c' / '1.jpg').write_bytes(b'jpeg')
    folds['fold1']['train'].append(Clip(str(root / 'frames' / 'a'), None, (0,)))
    write_folds(args, folds)
    assert 'left out: 1 of 4 media are stand-ins' in capsys.readouterr().out
    assert (tmp_path / 'lists/fold1/train.csv').read_text() == f'{root}/frames/a - 0\n'


def test_shared_speakers_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    args = arguments(tmp_path, tmp_path, '--no-check-media')
    clips = [Clip(f'/v/{name}', None, (0,)) for name in ('1001_DFA_ANG_XX', '1002_DFA_ANG_XX', '1001_IEO_FEA_LO')]
    write_folds(args, {'fold1': {'train': clips[:1], 'test': clips[1:2]}}, PROTOCOLS['CREMAD'])
    assert 'fold1: train/test 1/1, published: 5974/1463; 1/1 speakers, none in both\n' in capsys.readouterr().out
    write_folds(args, {'fold1': {'train': clips[:2], 'test': clips[2:]}}, PROTOCOLS['CREMAD4'])
    assert '2/1 speakers, 1 IN BOTH (1001): scores are not speaker-independent' in capsys.readouterr().out
    write_folds(args, {'fold1': {'train': clips[:2], 'test': clips[2:]}}, PROTOCOLS['DFEW'])
    assert 'speakers are not known' in capsys.readouterr().out


def test_leftovers_of_operating_systems_are_no_media(root: Path) -> None:
    for folder in ('frames', 'frames/actor', 'frames/b', 'sound'):
        (root / folder / '.DS_Store').write_bytes(b'x')
        (root / folder / 'Thumbs.db').write_bytes(b'x')
    (root / 'sound' / '._a.wav').write_bytes(b'x')
    (root / '__MACOSX').mkdir()
    assert find_by_stem(root / 'frames', '') == {'a': f'{root}/frames/a', 'c': f'{root}/frames/actor/c'}
    assert list(find_by_stem(root / 'sound', '.wav')) == ['a', 'b', 'c']
    assert not has_content(str(root / 'frames' / 'b'))
