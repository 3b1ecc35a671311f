"""Configs for the folders of speech models of transformers, so that they can be encoders without a config of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from hicmae_mm.models.encoders.model_folder import read_model_config, read_preprocessing

_WAVEFORMS = ('data2vec-audio', 'hubert', 'unispeech', 'unispeech-sat', 'wav2vec2', 'wavlm')
_SPECTROGRAMS = ('audio-spectrogram-transformer', 'clap', 'clap_audio_model', 'whisper')


def is_foreign_folder(model: Any) -> bool:
    """Tells whether a path is a folder as ``save_pretrained`` of transformers writes it."""
    if not isinstance(model, (str, Path)):
        return False
    folder = Path(model).expanduser()
    return (folder / 'config.json').is_file() and not any(folder.glob('*.py'))


def config_of_folder(folder: Path) -> Config:
    """Makes the config of a model whose only encoder is that of a folder, with the pipeline that it needs.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If the folder has a model of another kind than those of sound.
    """
    kind = read_model_config(str(folder), None).model_type
    if kind not in _WAVEFORMS + _SPECTROGRAMS:
        raise ValueError(
            f'{folder} has a model of the kind {kind!r}; load_encoder reads folders of {", ".join(_WAVEFORMS)}, and '
            'for other kinds it needs a config with TransformersEncoder and a pipeline (docs/foreign_encoders.md)'
        )
    rate = int(read_preprocessing(str(folder)).get('sampling_rate', 16000))
    pipeline: list[dict[str, Any]] = [dict(type='WholeTrack', sample_rate_hz=rate)]
    if kind in _SPECTROGRAMS:
        pipeline += [dict(type='ExtractorSpectrogram', path=str(folder)), dict(type='PackStreams', arrays=('audio',))]
    else:
        pipeline += [dict(type='PackStreams', arrays=(), sequences=dict(audio='waveform'))]
    dataset = dict(type='AudioVisualDataset', ann_file='', streams=('audio',), pipeline=pipeline)
    model = dict(
        type='AudioVisualRecognizer',
        data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
        encoders=dict(audio=dict(type='TransformersEncoder', path=str(folder))),
        aggregator=dict(type='MeanPoolAggregator'),
        head=dict(type='ClassificationHead', num_classes=2),  # not used
    )
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset, collate_fn=dict(type='collate_streams'))))
