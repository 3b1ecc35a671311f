"""tools/reproduce.sh on a corpus with the names of RAVDESS, published by a server of this machine."""

from __future__ import annotations

import io
import json
import re
import sys
import wave
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.synthetic.clips import make_clip, sample_actor
from hicmae_mm.datasets.synthetic.corpus import EMOTIONS
from hicmae_mm.datasets.writers import write_video
from tests.published_corpora import archive_path, publish_ravdess, zip_of
from tests.test_tools.command import run_tool
from tests.test_tools.modules import load_tool
from tests.web_site import Fault, Site, running_site

SOUND = 'Audio_Speech_Actors_01-24'
TINY = """_base_ = [{base!r}]
small = dict(embed_dims=16, num_heads=2, depth=2)
model = dict({model})
few = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(indices=6))
train_dataloader, val_dataloader, test_dataloader = few, few, few
visualizer = dict(_delete_=True, type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
param_scheduler = []
"""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv('no_proxy', '*')
    with running_site() as site:
        yield site


def _speech(actor: int) -> list[tuple[str, int]]:
    """Names without modality and emotions of an actor's 60 clips."""
    numbers = product(range(1, 9), (1, 2), (1, 2), (1, 2))
    return [
        (f'01-{emotion:02d}-{strength:02d}-{sentence:02d}-{take:02d}-{actor:02d}', emotion)
        for emotion, strength, sentence, take in numbers
        if emotion > 1 or strength == 1
    ]


def _tone(emotion: int) -> bytes:
    samples = (8000 * np.sin(2 * np.pi * 100 * emotion * np.arange(1600) / 8000)).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def _sounds() -> bytes:
    tones = {emotion: _tone(emotion) for emotion in range(1, 9)}
    clips = ((actor, *clip) for actor in range(1, 25) for clip in _speech(actor))
    return zip_of({f'Actor_{actor:02d}/03-{name}.wav': tones[emotion] for actor, name, emotion in clips})


def _videos(actor: int, faces: dict[int, bytes]) -> bytes:
    members = {f'Actor_{actor:02d}/01-{name}.mp4': faces[emotion] for name, emotion in _speech(actor)}
    return zip_of({**members, f'Actor_{actor:02d}/02-{_speech(actor)[0][0]}.mp4': b'the same pictures'})


def _config(folder: Path, base: str, model: str) -> Path:
    path = folder / 'tiny.py'
    path.write_text(TINY.format(base=str(configs_root() / base), model=model))
    return path


def _run(site: Site, folder: Path, config: Path, *options: str, check: bool = True) -> str:
    places = ('--data-root', folder / 'corpus', '--work-dir', folder / 'work', '--base-url', site.address)
    tiny = ('--config', config, '--folds', '1-2', '--epochs', '1', '--accept-licence')
    result = run_tool('reproduce.sh', 'ravdess', *places, *tiny, *options, check=check, HICMAE_VENV=sys.prefix)
    assert check or result.returncode == 1
    return result.stdout if check else result.stderr


def _check_table(folder: Path, output: str) -> None:
    assert re.search(r'\| fold \| clips \| best UAR', output)
    assert '| pooled | 12 |' in output
    table = json.loads((folder / 'work' / 'folds' / 'folds.json').read_text())
    assert table['folds'] == [1, 2]
    assert [run['clips'] for run in table['results']['best']['runs']] == [6, 6]


@pytest.mark.slow
def test_sound_from_nothing_to_the_table_in_spite_of_a_cut(site: Site, tmp_path: Path) -> None:
    publish_ravdess(site, {f'{SOUND}.zip': _sounds()})
    site.faults[archive_path(f'{SOUND}.zip')] = [Fault(num_bytes=20_000)]
    config = _config(tmp_path, 'hicmae_base_audio_ravdess.py', 'encoders=dict(audio=small)')
    error = _run(site, tmp_path, config, '--streams', 'audio', check=False)
    assert 'was cut' in error
    assert error.endswith('the same command continues here\n')

    output = _run(site, tmp_path, config, '--streams', 'audio')
    assert site.requests[-1][1] == 'bytes=20000-'
    assert len(list((tmp_path / 'corpus' / SOUND).rglob('*.wav'))) == 1440
    assert 'as published' in output
    assert 'scores far below the published ones' in output
    _check_table(tmp_path, output)

    site.requests.clear()
    again = _run(site, tmp_path, config, '--streams', 'audio')
    assert site.requests == []
    assert again.count('finished before') == 2 + 2 * 3
    _check_table(tmp_path, again)


@pytest.mark.slow
def test_pictures_and_sound_from_nothing_to_the_table(site: Site, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    faces = {}
    for emotion in range(1, 9):
        frames, _ = make_clip(sample_actor(rng), EMOTIONS[emotion % len(EMOTIONS)], rng)
        write_video(tmp_path / 'face.mp4', islice(frames, 3), 25)
        faces[emotion] = (tmp_path / 'face.mp4').read_bytes()
    videos = {f'Video_Speech_Actor_{actor:02d}.zip': _videos(actor, faces) for actor in range(1, 25)}
    publish_ravdess(site, {f'{SOUND}.zip': _sounds(), **videos})
    model = 'encoders=dict(audio=small, video=small), fusion=dict(num_heads=2, depth=1)'
    config = _config(tmp_path, 'hicmae_base_ravdess.py', model)
    _check_table(tmp_path, _run(site, tmp_path, config))
    crops = tmp_path / 'corpus' / 'face_aligned'
    assert len({path.parent for path in crops.rglob('*.jpg')}) == 1440  # not those of modality 02


def _main(*options: str) -> int:
    return load_tool('reproduce.py').main([*options])


def test_nothing_happens_before_the_licence_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main('ravdess', '--work-dir', str(tmp_path / 'work'), '--data-root', str(tmp_path / 'data')) == 1
    printed = capsys.readouterr()
    assert 'CC BY-NC-SA 4.0' in printed.out
    assert printed.err == 'error: read the licence above; --accept-licence says that you accept it\n'
    assert list(tmp_path.iterdir()) == []


def test_commands_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ['--work-dir', str(tmp_path / 'w'), '--data-root', '/c', '--dry-run', '--load-from', 'P.pth', '--amp']
    assert _main('ravdess', *options, '--epochs', '3', '--gpus', '2') == 0
    download, faces, lists, folds = capsys.readouterr().out.splitlines()
    assert download.endswith('misc/download_dataset.py ravdess --out-dir /c --streams both --accept-licence')
    assert faces.endswith("extract_faces.py /c --out-dir /c/face_aligned --match '01-*' --allow-failures")
    assert lists.endswith(f'ravdess.py /c --out-dir {tmp_path}/w/lists')
    assert folds.startswith(f'RAVDESS_ROOT={tmp_path}/w/lists python ')
    assert folds.endswith(
        f'hicmae_base_ravdess.py --folds 1-6 --gpus 2 --work-dir {tmp_path}/w/folds --amp --cfg-options '
        'train_cfg.max_epochs=3 load_from=P.pth'
    )
    assert _main('cremad', *options, '--streams', 'video', '--no-download', '--folds', '2') == 0
    faces, lists, folds = capsys.readouterr().out.splitlines()
    assert faces.endswith('extract_faces.py /c/VideoFlash --out-dir /c/face_aligned --allow-failures')
    assert lists.endswith('--streams video')
    assert 'hicmae_base_video_cremad.py --folds 2' in folds
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['iemocap'], 'invalid choice'),
        (['ravdess', '--epochs', '0'], '--epochs must be at least 1'),
        (['ravdess', '--streams', 'video'], 'name one by --config'),
    ],
)
def test_mistakes_are_named(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _main(*options)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_range_of_folds_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main('ravdess', '--work-dir', str(tmp_path), '--folds', '6-1', '--dry-run') == 1
    assert "folds '6-1' cannot be read" in capsys.readouterr().err
