"""Encoders as functions: any length and rate in, features with times out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from hicmae_mm import load_encoder
from hicmae_mm.apis import LoadedEncoder
from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.writers import write_video, write_wav
from hicmae_mm.features import ExtractionOptions, FeatureExtraction, load_features
from hicmae_mm.registry import MODELS

NOISE = np.random.default_rng(0).normal(0, 0.1, 80000).astype(np.float32)
FRAMES = np.random.default_rng(1).integers(0, 255, (50, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope='module')
def audio(weights: Path) -> LoadedEncoder:
    return load_encoder(weights, stream='audio', device='cpu')


@pytest.fixture(scope='module')
def video(weights: Path) -> LoadedEncoder:
    return load_encoder(weights, stream='video', device='cpu')


def test_features_of_a_waveform(audio: LoadedEncoder) -> None:
    found = audio(NOISE[:5120], 16000)  # 0.32 s, one window of 32 frames of 10 ms
    assert found.layers.shape == (audio.encoder.depth, 2, audio.embed_dims)
    assert torch.equal(found.layers[-1], found.frames)
    torch.testing.assert_close(found.times, torch.tensor([0.0, 0.16]))
    assert found.utterance.shape == (audio.embed_dims,)
    torch.testing.assert_close(found.frames.mean(0), found.utterance)


def test_long_sound_is_encoded_in_windows(audio: LoadedEncoder) -> None:
    found = audio(NOISE, 16000, batch_size=2)  # 5 s
    times = found.times
    assert (times.diff() > 0.03).all()  # the last window ends at the end of the sound
    assert times[0] == 0
    assert times[-1] > 4.7
    assert len(found.frames) == len(times)
    part = audio(NOISE[:5120], 16000)
    torch.testing.assert_close(found.frames[:2], part.frames, atol=1e-5, rtol=0)


def test_any_rate_channels_type_and_list(audio: LoadedEncoder) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    plain = audio(tone[:5120], 16000)
    fast = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    resampled = audio(fast[:14112], 44100)
    assert (resampled.utterance - plain.utterance).norm() < 0.05 * plain.utterance.norm()
    both = audio([torch.from_numpy(np.stack([tone[:5120]] * 2)), dict(waveform=NOISE, sample_rate_hz=16000)], 16000)
    assert len(both) == 2
    torch.testing.assert_close(both[0].utterance, plain.utterance)
    assert audio([tone[:5120]], 16000)[0].frames.shape == plain.frames.shape


def test_silence_is_encoded(audio: LoadedEncoder) -> None:
    assert audio(np.zeros(16000, np.float32), 16000).frames.isfinite().all()


@pytest.mark.parametrize(
    ('clip', 'rate', 'error', 'message'),
    [
        (NOISE[:100], 16000, MediaError, 'the sound is too short'),
        (NOISE[:0], 16000, ValueError, 'S at least 1'),
        (NOISE, None, ValueError, 'needs its sample_rate_hz'),
        (NOISE, 8000.5, ValueError, 'whole number'),
        (np.full(16000, np.nan, np.float32), 16000, MediaError, 'not finite'),
        ((NOISE * 32767).astype(np.int16), 16000, TypeError, 'floating point numbers in -1..1'),
        (np.stack([NOISE] * 2, axis=1), 16000, ValueError, 'C channels'),
        (3.0, 16000, TypeError, 'a clip must be an array'),
        (dict(frames=FRAMES, fps=25), None, MediaError, 'has no audio: there is no sound'),
        ('missing.wav', None, FileNotFoundError, 'missing.wav'),
        ('missing.wav', 8000, ValueError, 'Leave rate_hz out'),
        ([dict(waveform=NOISE, sample_rate_hz=16000)], 8000, ValueError, 'Leave rate_hz out'),
    ],
)
def test_wrong_sound(audio: LoadedEncoder, clip: Any, rate: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        audio(clip, rate)


def test_features_of_frames_and_of_a_file(video: LoadedEncoder, corpus: Path) -> None:
    found = video(FRAMES, 25)  # 2 s; a view spans 8 frames
    assert found.layers.shape == (video.encoder.depth, len(found.times), video.embed_dims)
    torch.testing.assert_close(found.times[:3], torch.tensor([0.0, 4 / 25, 8 / 25]))
    assert (found.times.diff() > 0).all()
    assert found.times[-1] > 1.7
    assert video(corpus / '0.mp4').utterance.shape == (video.embed_dims,)
    with pytest.raises(ValueError, match='fps'):
        video(FRAMES)


@pytest.mark.parametrize('stream', ['video', 'audio'])
def test_one_window_equals_the_tool(stream: str, weights: Path, cfg: Config, tmp_path: Path) -> None:
    write_video(tmp_path / 'a.mp4', FRAMES[:9], fps=25)
    write_wav(tmp_path / 'a.wav', NOISE[:5760])
    (tmp_path / 'clips.txt').write_text('a.mp4 a.wav 0\n')
    options = ExtractionOptions(
        (stream,), 'all', ann_file=str(tmp_path / 'clips.txt'), data_root=str(tmp_path), file_format='npy'
    )
    FeatureExtraction(cfg, str(weights), options).run(tmp_path / 'features')
    expected = load_features(tmp_path / 'features')
    encoder = load_encoder(weights, stream=stream, device='cpu')
    found = encoder(dict(video=tmp_path / 'a.mp4', audio=tmp_path / 'a.wav'))
    stored = torch.tensor(expected[f'{stream}_layer{encoder.encoder.depth - 1}'][0])
    torch.testing.assert_close(found.utterance, stored, atol=1e-5, rtol=0)


def test_waveforms_of_any_length_go_to_their_encoder_whole(tmp_path: Path) -> None:
    encoder = dict(
        type='Emotion2VecEncoder',
        embed_dims=24,
        depth=1,
        prenet_depth=1,
        num_heads=3,
        conv_layers=[(12, 10, 5), (12, 8, 8), (12, 8, 8)],
        position_groups=4,
    )
    pipeline = [dict(type='WholeTrack'), dict(type='PackStreams', arrays=(), sequences=dict(audio='waveform'))]
    loader = dict(dataset=dict(type='AudioVisualDataset', data_root='.', ann_file='a.txt', pipeline=pipeline))
    model = dict(
        type='AudioVisualRecognizer',
        encoders=dict(audio=encoder),
        aggregator=dict(type='MeanPoolAggregator'),
        head=dict(type='ClassificationHead', num_classes=2),
    )
    cfg = Config(dict(model=model, test_dataloader=loader | dict(collate_fn=dict(type='collate_streams'))))
    write_checkpoint(tmp_path / 'a.pth', MODELS.build(model).state_dict(), {})
    encode = load_encoder(cfg, tmp_path / 'a.pth', device='cpu')
    long, short = encode([NOISE[:24000], NOISE[:8000]], 16000)
    assert long.times.tolist() == pytest.approx([0.02 * step for step in range(len(long.frames))])
    assert len(long.frames) > 2 * len(short.frames) > 40
    alone = encode(NOISE[:8000], 16000)
    torch.testing.assert_close(short.frames, alone.frames, atol=1e-5, rtol=0)
    torch.testing.assert_close(short.utterance, alone.utterance, atol=1e-5, rtol=0)
    with pytest.raises(MediaError, match='too short'):
        encode(NOISE[:9], 16000)
    write_wav(tmp_path / 'a.wav', NOISE[:8000])
    (tmp_path / 'a.csv').write_text('audio,label\na.wav,0\n')
    cfg.test_dataloader.dataset.update(ann_file='a.csv', data_root=str(tmp_path), streams=('audio',), num_classes=2)
    FeatureExtraction(cfg, str(tmp_path / 'a.pth'), ExtractionOptions(file_format='npy')).run(tmp_path / 'features')
    stored = torch.tensor(load_features(tmp_path / 'features')['audio_layer1'][0])
    torch.testing.assert_close(encode(tmp_path / 'a.wav').utterance, stored, atol=1e-5, rtol=0)
    torch.testing.assert_close(alone.utterance, stored, atol=1e-3, rtol=0)  # the file has 16 bits


VIDEO_MAE = dict(
    type='VisionTransformer', img_size=32, num_frames=4, embed_dims=8, depth=1, num_heads=2, return_feat_map=True
)


@pytest.mark.parametrize(
    ('encoder', 'frames_of_a_step'),
    [
        (dict(type='TimmEncoder', name='resnet18'), 1),
        (dict(type='MMActionEncoder', backbone=VIDEO_MAE, input_size=(4, 32, 32)), 2),
    ],
)
def test_frames_and_times_of_encoders_of_other_libraries(
    encoder: dict[str, Any], frames_of_a_step: int, cfg: Config, tmp_path: Path
) -> None:
    cfg = Config(cfg.to_dict())
    pool = dict(type='MeanPoolAggregator')
    cfg.model = dict(cfg.model.to_dict(), encoders=dict(video=encoder), fusion=None, aggregator=pool)
    with pytest.raises(ValueError, match='no weights'):  # it would start with random ones
        load_encoder(cfg, device='cpu')
    write_checkpoint(tmp_path / 'model.safetensors', MODELS.build(cfg.model).state_dict(), {})
    encode = load_encoder(cfg, tmp_path / 'model.safetensors', device='cpu')
    found = encode(FRAMES, 25)  # 2 s; a view has every second frame
    assert found.frames.shape == (len(found.times), encode.embed_dims)
    step_seconds = 2 * frames_of_a_step / 25
    assert found.times[:4].tolist() == pytest.approx([step_seconds * step for step in range(4)])
    assert (found.times.diff() > 0).all()


def test_models_without_the_stream_or_weights(weights: Path, cfg: Config) -> None:
    with pytest.raises(ValueError, match=r"stream must be one of \['video', 'audio'\]"):
        load_encoder(weights)
    with pytest.raises(ValueError, match="got 'text'"):
        load_encoder(weights, stream='text')
    with pytest.raises(ValueError, match='no weights'):
        load_encoder(cfg, stream='audio')


def test_the_package_loads_nothing_before_it_is_asked_to() -> None:
    code = 'import sys, hicmae_mm; assert "torch" not in sys.modules; hicmae_mm.nothing'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("AttributeError: module 'hicmae_mm' has no attribute 'nothing'")
