"""What the folder of an encoder says about its input is compared with the config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.config.preprocessing import check_preprocessing
from hicmae_mm.datasets.transforms import ExtractorSpectrogram
from hicmae_mm.models.data_preprocessor import AudioVisualDataPreprocessor
from hicmae_mm.models.encoders import TokenIdEncoder, TransformersEncoder
from tests.models.foreign import tiny_transformers as tiny

pytest.importorskip('transformers')
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

CLIP = dict(
    do_rescale=True,
    rescale_factor=1 / 255,
    do_normalize=True,
    image_mean=[0.5, 0.4, 0.3],
    image_std=[0.2, 0.2, 0.2],
    do_center_crop=True,
    crop_size=dict(height=32, width=32),
    size=dict(shortest_edge=32),
)
RIGHT = dict(mean=(127.5, 102.0, 76.5), std=(51.0, 51.0, 51.0))


class Model(nn.Module):
    """Encoder and data preprocessor of a model."""

    def __init__(self, stream: str, encoder: nn.Module, **options: Any) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({stream: encoder})
        self.data_preprocessor = AudioVisualDataPreprocessor(**options)


def folder(path: Path, kind: str, facts: dict[str, Any]) -> str:
    (path / 'config.json').write_text(json.dumps(tiny.config(kind)))
    (path / 'preprocessor_config.json').write_text(json.dumps(facts))
    return str(path)


def config(*steps: dict[str, Any]) -> Config:
    return Config(dict(test_dataloader=dict(dataset=dict(pipeline=list(steps)))))


def test_pictures(tmp_path: Path) -> None:
    path = folder(tmp_path, 'clip_vision_model', CLIP)
    encoder = TransformersEncoder(path, pretrained=False)
    resize = dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False)
    check_preprocessing(Model('video', encoder, **RIGHT), config(resize))
    with pytest.raises(
        ValueError,
        match=r'encoders.video: .*config.json says mean=\[127.5, 102.0, 76.5\] of pixels, the config gives \[123.675, '
        r'116.28, 103.53\]; set model.data_preprocessor.mean=\[127.5, 102.0, 76.5\]',
    ):
        check_preprocessing(Model('video', encoder), config(resize))
    with pytest.raises(
        ValueError,
        match=r'pictures of 32x32, the config gives 64x48; set test_dataloader.dataset.pipeline\[1\].scale to 32',
    ):
        check_preprocessing(Model('video', encoder, **RIGHT), config(resize, resize | dict(scale=(48, 64))))
    crop = dict(type='RandomResizedCropFlip', size=64)
    with pytest.raises(ValueError, match=r'gives 64x64; set test_dataloader.dataset.pipeline\[1\].size to 32'):
        check_preprocessing(Model('video', encoder, **RIGHT), config(resize, crop))
    open_size = resize | dict(scale=(-1, 40), keep_ratio=True)
    check_preprocessing(Model('video', encoder, **RIGHT), config(open_size))


def test_pixels_that_are_not_scaled(tmp_path: Path) -> None:
    facts = dict(do_rescale=False, do_normalize=False, size=dict(height=32, width=32))
    encoder = TransformersEncoder(folder(tmp_path, 'vit', facts), pretrained=False)
    check_preprocessing(Model('video', encoder, mean=(0, 0, 0), std=(1, 1, 1)), config())
    with pytest.raises(ValueError, match=r'says mean=\[0.0, 0.0, 0.0\]'):
        check_preprocessing(Model('video', encoder), config())


def test_sampling_rate_of_waveforms(tmp_path: Path) -> None:
    facts = dict(sampling_rate=16000, do_normalize=False)
    encoder = TransformersEncoder(folder(tmp_path, 'wavlm', facts), pretrained=False)
    assert encoder.normalize is False
    check_preprocessing(Model('audio', encoder), config(dict(type='WholeTrack')))
    with pytest.raises(
        ValueError,
        match=r'sound of 16000 Hz, the config gives 8000 Hz; set test_dataloader.dataset.pipeline\[0\].sample',
    ):
        check_preprocessing(Model('audio', encoder), config(dict(type='WholeTrack', sample_rate_hz=8000)))


def test_folder_without_a_description_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / 'config.json').write_text(json.dumps(tiny.config('vit')))
    encoder = TransformersEncoder(str(tmp_path), pretrained=False)
    assert encoder.expected_input is None
    check_preprocessing(Model('video', encoder), config())
    (tmp_path / 'preprocessor_config.json').write_text('{')
    with pytest.raises(ValueError, match=r'preprocessor_config.json: not JSON'):
        TransformersEncoder(str(tmp_path), pretrained=False)


def extractor_of(kind: str) -> Any:
    import transformers

    if kind == 'whisper':
        return transformers.WhisperFeatureExtractor(chunk_length=1)
    if kind == 'clap_audio_model':
        return transformers.ClapFeatureExtractor(feature_size=16, max_length_s=1, frequency_max=8000)
    return transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)


@pytest.mark.parametrize('kind', tiny.SPECTROGRAMS)
def test_spectrograms_are_the_librarys_own(kind: str, tmp_path: Path) -> None:
    extractor = extractor_of(kind)
    tiny.save(kind, tmp_path)
    extractor.save_pretrained(tmp_path)
    rate = extractor.sampling_rate
    waveform = np.random.default_rng(0).standard_normal(rate // 3).astype(np.float32)
    transform = ExtractorSpectrogram(str(tmp_path))
    results = transform(dict(waveform=waveform, sample_rate_hz=rate, num_clips=2))
    spectrograms = results['spectrograms']
    name = extractor.model_input_names[0]
    own = torch.as_tensor(np.asarray(extractor(waveform, sampling_rate=rate, return_tensors='np')[name]))
    expected = {'whisper': own.transpose(-1, -2)[0]}.get(kind, own.flatten(0, -3)[0])
    assert torch.equal(spectrograms, expected.expand(2, -1, -1))
    encoder = TransformersEncoder(str(tmp_path)).eval()
    with torch.no_grad():
        assert torch.isfinite(encoder(spectrograms.unsqueeze(1)).tokens).all()
    read = dict(type='WholeTrack', sample_rate_hz=rate)
    step = dict(type='ExtractorSpectrogram', path=str(tmp_path))
    check_preprocessing(Model('audio', encoder), config(read, step))
    with pytest.raises(ValueError, match=r'pipeline\[1\] Filterbank; put dict\(type="ExtractorSpectrogram", path='):
        check_preprocessing(Model('audio', encoder), config(read, dict(type='Filterbank')))
    other = tmp_path / 'other'
    other.mkdir()
    folder(other, kind, dict(sampling_rate=rate))
    with pytest.raises(ValueError, match=r'pipeline\[1\].path=.* says something else'):
        check_preprocessing(Model('audio', encoder), config(read, step | dict(path=str(other))))
    with pytest.raises(ValueError, match=rf'needs sound of {rate} Hz, WholeTrack gives 11025 Hz'):
        transform(dict(waveform=waveform, sample_rate_hz=11025))


def test_clips_longer_than_the_window_are_cut(tmp_path: Path) -> None:
    extractor_of('clap_audio_model').save_pretrained(tmp_path)
    waveform = np.random.default_rng(0).standard_normal(60000).astype(np.float32)
    transform = ExtractorSpectrogram(str(tmp_path))
    whole = transform(dict(waveform=waveform, sample_rate_hz=48000))['spectrograms']
    part = transform(dict(waveform=waveform[:48000], sample_rate_hz=48000))['spectrograms']
    assert torch.equal(whole, part)
    with pytest.raises(FileNotFoundError, match='has no feature extractor'):
        ExtractorSpectrogram(str(tmp_path / 'nowhere'))(dict(waveform=waveform, sample_rate_hz=48000))
    assert transform(dict(streams=('video',))) == dict(streams=('video',))


def save_tokenizer(path: Path, *words: str) -> None:
    vocabulary = {word: number for number, word in enumerate(('[UNK]', *words))}
    Tokenizer(WordLevel(vocabulary, unk_token='[UNK]')).save(str(path))


def test_text(tmp_path: Path) -> None:
    base, other = tmp_path / 'base', tmp_path / 'other'
    base.mkdir()
    other.mkdir()
    (base / 'config.json').write_text(json.dumps(tiny.config('bert') | dict(vocab_size=4)))
    save_tokenizer(base / 'tokenizer.json', 'oh', 'no', 'yes')
    save_tokenizer(other / 'tokenizer.json', 'oh', 'yes', 'no')
    (other / 'words.txt').write_text('[UNK]\noh\nno\nyes\nperhaps\n')
    model = Model('text', TransformersEncoder(str(base), pretrained=False))

    def checked(vocabulary: str, model: Model = model, stream: str = 'text') -> None:
        step = dict(type='Tokenize', vocabulary=vocabulary, stream=stream)
        dataset = dict(data_root=str(tmp_path), pipeline=[step])
        check_preprocessing(model, Config(dict(train_dataloader=dict(dataset=dict(dataset=dataset)))))

    checked('base')
    checked(str(base / 'tokenizer.json'))
    checked('not/there.json')  # the training says so
    checked('other/words.txt', stream='words')
    key = r'train_dataloader\.dataset\.dataset\.pipeline\[0\]\.vocabulary'
    with pytest.raises(ValueError, match=rf'encoders\.text: {key}=.* gives tokens other ids than .*base/token'):
        checked('other')
    with pytest.raises(ValueError, match=rf'base/config\.json knows the ids 0 to 3, {key}=.* up to 4; name'):
        checked('other/words.txt')
    with pytest.raises(ValueError, match=r'the encoder knows the ids 0 to 2, .* has ids up to 3'):
        checked('base', Model('text', TokenIdEncoder(num_ids=3, embed_dims=8, num_heads=2)))
