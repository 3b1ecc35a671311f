"""Features of recordings, a row for each frame: the steps at the right times, one folder for one model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hicmae_mm import load_encoder
from hicmae_mm.apis import EncoderFeatures, LoadedEncoder
from hicmae_mm.apis.frame_features import frame_rows, read_recordings, write_frame_features
from hicmae_mm.datasets.writers import write_video
from tests.test_tools.in_process import failure, status_of

FPS = 12.5


@pytest.fixture(scope='module')
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two windows of one recording of 2 s, whose sound is quiet and then loud, and a recording that is no video."""
    folder = tmp_path_factory.mktemp('recordings')
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (25, 32, 32, 3), dtype=np.uint8)
    sound = rng.normal(0, 1, 32000) * np.repeat([0.001, 0.2], 16000)
    write_video(folder / 'a.mp4', frames, FPS, sound, 16000)
    (folder / 'broken.mp4').write_bytes(b'no video')
    rows = ['a@0,a.mp4,,a,0,1', 'a@12,a.mp4,,a,1,2', 'b@0,broken.mp4,,b,0,1']
    (folder / 'list.csv').write_text('\n'.join(['sample_id,video,audio,recording,start,end', *rows]) + '\n')
    return folder


@pytest.fixture(scope='module')
def encoder(weights: Path) -> LoadedEncoder:
    return load_encoder(weights, stream='audio', device='cpu', face_cropper=None)


def test_rows_equal_a_search_for_the_two_nearest_steps() -> None:
    rng = np.random.default_rng(0)
    starts = np.cumsum(rng.uniform(0.05, 0.3, 9))
    steps = rng.normal(size=(9, 4)).astype(np.float32)
    features = EncoderFeatures(
        torch.zeros(4), torch.from_numpy(steps), torch.from_numpy(steps)[None], torch.from_numpy(starts)
    )
    middles = np.sort(rng.uniform(0, starts[-1] + 0.5, 40))
    centres = np.append((starts[:-1] + starts[1:]) / 2, starts[-1] + np.median(np.diff(starts)) / 2)
    for moment, row in zip(middles, frame_rows(features, middles)):
        later = int((centres <= moment).sum())
        if later in (0, len(steps)):
            expected = steps[min(later, len(steps) - 1)]
        else:
            share = (moment - centres[later - 1]) / (centres[later] - centres[later - 1])
            expected = (1 - share) * steps[later - 1] + share * steps[later]
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_a_recording_is_encoded_once_and_its_frames_have_the_steps_of_their_time(
    recordings: Path, encoder: LoadedEncoder, tmp_path: Path
) -> None:
    media = read_recordings([recordings / 'list.csv'])
    assert list(media) == ['a', 'b']
    found = dict(write_frame_features(encoder, media, tmp_path))
    assert found['a'] == ''
    assert 'broken.mp4' in found['b']
    rows = np.load(tmp_path / 'a.npy')
    assert rows.shape == (25, encoder.embed_dims)
    direct = encoder(recordings / 'a.mp4')
    np.testing.assert_allclose(rows, frame_rows(direct, (np.arange(25) + 0.5) / FPS), atol=1e-5)
    changes = np.linalg.norm(np.diff(rows, axis=0), axis=1)
    assert abs(int(changes.argmax()) - 12) <= 2  # where the sound becomes loud


def test_a_folder_keeps_one_model_and_one_layer(recordings: Path, encoder: LoadedEncoder, tmp_path: Path) -> None:
    media = {'a': dict(video=recordings / 'a.mp4')}
    assert dict(write_frame_features(encoder, media, tmp_path)) == {'a': ''}
    written = (tmp_path / 'a.npy').stat().st_mtime_ns
    assert dict(write_frame_features(encoder, media, tmp_path)) == {'a': ''}
    assert (tmp_path / 'a.npy').stat().st_mtime_ns == written
    with pytest.raises(ValueError, match=r'has features of other settings \(layer: \d there, 0 requested\)'):
        list(write_frame_features(encoder, media, tmp_path, layer=0))
    assert next(write_frame_features(encoder, {'films/b': media['a'], **media}, tmp_path))[0] == 'films/b'
    forced = write_frame_features(encoder, media, tmp_path, layer=0, force=True)
    next(forced)  # nothing of the other layer is left, even if the run ends here
    assert not (tmp_path / 'films' / 'b.npy').exists()
    with pytest.raises(ValueError, match='layer=9, but the encoder has the layers 0 to'):
        list(write_frame_features(encoder, media, tmp_path, layer=9))


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('a@0,a.mp4,,', r"line 2: 'recording' must be the name of a recording, got ''"),
        ('a@0,a.mp4,,../a', r"must be the name of a recording, got '../a'"),
        ('a@0,a.mp4,,x\nb@0,broken.mp4,,x', r"the recording 'x' has other media than in an earlier row"),
    ],
)
def test_lists_without_clear_recordings_are_refused(recordings: Path, row: str, message: str) -> None:
    path = recordings / 'wrong.csv'
    path.write_text(f'sample_id,video,audio,recording\n{row}\n')
    with pytest.raises(ValueError, match=message):
        read_recordings([path])


def test_the_tool_reports_bad_recordings(recordings: Path, weights: Path, tmp_path: Path) -> None:
    arguments = [weights, '--stream', 'video', '--lists', recordings / 'list.csv', '--out', tmp_path]
    assert status_of('extract_frame_features.py', *arguments) == 1
    assert status_of('extract_frame_features.py', *arguments, '--allow-failures') == 0
    assert np.load(tmp_path / 'a.npy').shape[0] == 25
    assert 'line 2: ' in failure('extract_frame_features.py', *arguments, '--name-column', 'film')
