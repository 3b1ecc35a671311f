"""Damaged tables, feature folders, marks, stores and model folders end in one line that names them and what to do."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.commands.steps import Step, StepMarks
from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.clips.transcripts import read_transcript
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms.features import load_feature_file
from hicmae_mm.datasets.transforms.frame_targets import LoadFrameTargets
from tests.test_tools.modules import load_tool

C = str(configs_root() / 'hicmae_nano_synthetic.py')
AGAIN = 'extract the features again'
FACTS = dict(dtype='float32', shape=[4], is_ragged=False)
INFO: dict[str, Any] = dict(
    format='npy',
    num_rows=2,
    columns=dict(
        sample_id=dict(dtype='str', shape=[], is_ragged=False),
        clip=FACTS,
        gt_label=dict(dtype='int64', shape=[], is_ragged=False),
    ),
)
INDEX = 'sample_id,gt_label\na.mp4,0\nb.mp4,1\n'
HEADER = 'video,audio,label\n'
SPANS = 'video,audio,label,start,end\n'


class Evil:
    def __reduce__(self) -> tuple:
        return os.system, ('touch ran',)


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def forged_npy() -> bytes:
    """A header of 7 TB, and no values."""
    header = repr(dict(descr='<f8', fortran_order=False, shape=(99_999_999_999, 9))).encode().ljust(117) + b'\n'
    return np.lib.format.magic(1, 0) + len(header).to_bytes(2, 'little') + header


def features(
    info: Any = INFO, index: str | None = INDEX, clip: bytes = npy(np.zeros((2, 4), np.float32))
) -> dict[str, Any]:
    files = {'f/features.json': info if isinstance(info, str) else json.dumps(info), 'f/clip.npy': clip}
    return files if index is None else files | {'f/index.csv': index}


def parquet(**columns: list) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
        pq.write_table(pa.table(columns), path)

    return write


def write(files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


TSNE = ('visualization/vis_tsne.py', [C, '--features', 'f', '--out', 'o.png'])
ZOO = ('analysis_tools/zoo.py', [C, '--store', 'z.jsonl', '--table'])
WORDS = ('analysis_tools/open_vocabulary.py', ['w.json', 'w.json', '--groups', 'w.json'])
PICKLES = ('dataset_converters/feature_pickles.py', ['x.pkl', '--out-dir', 'o'])
PUBLISH = ('model_converters/publish_model.py', ['weights.pth', 'o.pth', '--metrics', 'm.json'])


def verify(name: str) -> tuple[str, list[str]]:
    return 'misc/verify_dataset.py', [name, '--num-workers', '0', '--report', 'o']


LINES: list[tuple[dict[str, Any], tuple[str, list[str]], str]] = [
    # folders of features
    (features('{'), TSNE, f'f/features.json is not JSON (Expecting property name|{AGAIN}'),
    (features('[' * 100_000), TSNE, 'f/features.json is not JSON'),
    (features('[]'), TSNE, 'f/features.json must hold a JSON object, and holds a list'),
    (features(dict(format='npy')), TSNE, f'f/features.json: expected the columns, and a format|{AGAIN}'),
    (features(INFO | dict(format='x')), TSNE, "got 'x'"),
    (features(INFO | dict(columns=dict(clip=5))), TSNE, "the column 'clip' must have dtype, shape and is_ragged"),
    (features(INFO | dict(format='parquet')), TSNE, f'f/features.parquet does not exist|{AGAIN}'),
    (
        features(INFO | dict(format='parquet')) | {'f/features.parquet': b'PAR1'},
        TSNE,
        f'f/features.parquet is damaged, or does not fit features.json|{AGAIN}',
    ),
    (
        features(INFO | dict(format='parquet')) | {'f/features.parquet': parquet(sample_id=['a'], clip=[1.0])},
        TSNE,
        'f/features.parquet is damaged, or does not fit features.json',
    ),
    (features(index=None), TSNE, 'f/index.csv: No such file'),
    (features(index=''), TSNE, 'f/index.csv has no header'),
    (features(index='sample_id,gt_label\na.mp4\n'), TSNE, 'f/index.csv has no header, or lines of different lengths'),
    (features(index=INDEX.replace('1', 'x')), TSNE, "f: the column 'gt_label' cannot be read (invalid literal"),
    (features(clip=b'\x93NUMPY\x01\x00'), TSNE, "f: the column 'clip' cannot be read (EOF"),
    (features(clip=npy(np.zeros((1, 4), np.float32))), TSNE, "f: 'clip' is of 1 clips, index.csv of 2"),
    (features(clip=npy(np.array([Evil(), Evil()], dtype=object))), TSNE, "f: the column 'clip' cannot be read"),
    (features(clip=forged_npy()), TSNE, "f: the column 'clip' cannot be read"),
    # tables
    ({'t.parquet': b'PAR1junk'}, verify('t.parquet'), 't.parquet: not a Parquet file that can be read'),
    ({'t.parquet': parquet(video=[], label=[])}, verify('t.parquet'), 't.parquet has no samples'),
    (
        {'t.parquet': parquet(video=[dict(a=1)], audio=['a.wav'], label=[0])},
        verify('t.parquet'),
        "t.parquet, row 1: video must be a path, or '-' for none",
    ),
    ({'t.parquet': parquet(video=[None], audio=[None], label=[0])}, verify('t.parquet'), 't.parquet, row 1: video and'),
    ({'t.csv': f'{SPANS}a.mp4,-,0,2,1\n'}, verify('t.csv'), 't.csv, line 2: start must lie before end'),
    (
        {'t.csv': f'{SPANS}a.mp4,-,0,nan,inf\n'},
        verify('t.csv'),
        "start must be a time in seconds of at least 0, got 'nan'",
    ),
    ({'t.csv': f'{HEADER}a\0.mp4,-,0\n'}, verify('t.csv'), 't.csv, line 2: a zero byte'),
    ({'t.csv': f'{HEADER}"a.mp4,-,0\n'}, verify('t.csv'), 't.csv, line 2: 1 columns, the header names 3'),
    ({'t.csv': f'{HEADER}{"x" * 200_000},-,0\n'}, verify('t.csv'), 't.csv, line 2: not a table of columns'),
    (
        {'t.jsonl': '{"video": ["a.mp4"], "label": 0}'},
        verify('t.jsonl'),
        "t.jsonl, line 1: video must be a path, or '-'",
    ),
    ({'t.jsonl': '{"video": "a.mp4", "start": [1]}'}, verify('t.jsonl'), 'start must be a time in seconds'),
    ({'t.jsonl': '{"video": "a.mp4", "streams": 5}'}, verify('t.jsonl'), 't.jsonl, line 1: streams must be some of'),
    ({'t.jsonl': '{"video": "a.mp4", "speaker": {}}'}, verify('t.jsonl'), 't.jsonl, line 1: speaker must be a text'),
    ({'t.jsonl': '{"video": "a.mp4", "sample_id": [1]}'}, verify('t.jsonl'), 'line 1: sample_id must be a text'),
    ({'t.jsonl': '[' * 100_000}, verify('t.jsonl'), 't.jsonl, line 1: not a row of JSON lines'),
    # stores
    ({'z.jsonl': '{'}, ZOO, 'z.jsonl, line 1: no measurement of zoo.py; delete the line or the file'),
    ({'z.jsonl': '{"name": "hicmae_nano_synthetic"}'}, ZOO, 'z.jsonl, line 1: no measurement of zoo.py'),
    ({'z.jsonl/a': ''}, ZOO, 'z.jsonl: Is a directory'),
    ({'w.json': '{"a": 1}'}, WORDS, 'the groups of a clip are lists of words, or text, got 1'),
    ({'w.json': '[1]'}, WORDS, 'w.json must hold a dictionary by clip, or rows'),
    ({'x.pkl': pickle.dumps(Evil())}, PICKLES, 'x.pkl cannot be read: it asks for posix.system'),
    ({'x.pkl': pickle.dumps(dict(train=dict(id=3)))}, PICKLES, "x.pkl: the split 'train' lacks"),
]


@pytest.mark.parametrize(('files', 'call', 'message'), LINES, ids=range(len(LINES)))
def test_one_line_and_status_1(
    files: dict[str, Any],
    call: tuple[str, list[str]],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(files)
    before = sorted(tmp_path.rglob('*'))
    assert load_tool(call[0]).main(call[1]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ')
    assert 'unexpected' not in error
    for part in message.split('|'):
        assert part in error
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize('mark', ['{', '[1]'])
def test_damaged_marks_of_steps(mark: str, tmp_path: Path) -> None:
    (tmp_path / 'clean.json').write_text(mark)
    with pytest.raises(ValueError, match=rf'{tmp_path}/clean.json .*; delete it, and the step runs again'):
        StepMarks(tmp_path).is_finished(Step('clean', 'Test', ('python', 'tools/test.py')))


MODEL = dict(model_type='wav2vec2', hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
FOLDERS = [
    ({}, 'm has no config.json'),
    ({'config.json': '{'}, 'm/config.json: not the config of a known model'),
    ({'config.json': '[]'}, 'm/config.json: not the config of a known model'),
    ({'config.json': '{"model_type": "evil"}'}, 'm/config.json: not the config of a known model'),
    ({'config.json': '{"model_type": "x", "auto_map": {"AutoConfig": "x.C"}}'}, 'm/config.json: not the config of'),
    ({'config.json': json.dumps(MODEL | dict(hidden_size='a'))}, 'm/config.json: not the config of a known model'),
    ({'config.json': json.dumps(MODEL)}, 'm has no weights (model.safetensors)'),
    (
        {'config.json': json.dumps(MODEL), 'model.safetensors': b'version https://git-lfs'},
        'm: the weights cannot be read',
    ),
    ({'config.json': json.dumps(MODEL), 'pytorch_model.bin': pickle.dumps(Evil())}, 'm: the weights are a pickle that'),
]


@pytest.mark.parametrize(('files', 'message'), FOLDERS, ids=range(len(FOLDERS)))
def test_folders_of_transformers(
    files: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip('transformers')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'm').mkdir()
    write({f'm/{name}': content for name, content in files.items()})
    encoder = "dict(_delete_=True, type='TransformersEncoder', path='m')"
    Path('c.py').write_text(f"_base_ = ['{C}']\nmodel = dict(encoders=dict(audio={encoder}))\n")
    assert load_tool('analysis_tools/get_flops.py').main(['c.py']) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f'error: {message}')
    assert not Path('ran').exists()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.npy', b'\x93NUMPY', 'EOF'),
        ('a.npy', pickle.dumps(Evil()), 'the magic string is not correct'),
        ('a.npy', npy(np.array([Evil()], dtype=object)), 'allow_pickle=False'),
        ('a.npy', forged_npy(), 'its header announces 7199999999928 bytes of values, and it has 0'),
        ('a.npy', npy(np.array([np.nan])), 'not all finite numbers'),
        ('a.txt', b'', 'expected one line of equally many numbers per frame'),
        ('a.txt', b'a b\n1 2\n3\n', 'expected one line of equally many numbers per frame'),
        ('a.txt', b'1\nx\n', "could not convert string to float: 'x'"),
        ('a.txt', b'\xff\xff', 'not UTF-8'),
        ('a.txt', b'1e400\n', 'not all finite numbers'),
    ],
)
def test_files_of_frame_targets(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        LoadFrameTargets('x')(dict(columns=dict(x=str(path)), data_folders={'': ''}, streams=()))
    assert message in str(caught.value)
    if path.suffix == '.npy' and 'finite' not in message:
        with pytest.raises(MediaError) as caught:
            load_feature_file(path)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.srt', b'version https://git-lfs.github.com/spec/v1\n', 'no subtitle can be read from it'),
        ('a.srt', b'\xff\xfe\x00\x01', 'no subtitle can be read from it'),
        ('a.vtt', b'<html></html>', 'no subtitle can be read from it'),
        ('a.txt', b'\xff', 'not UTF-8'),
    ],
)
def test_transcripts(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=message):
        read_transcript(tmp_path / name)
