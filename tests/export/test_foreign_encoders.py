"""Models with encoders of other libraries are exported, and those that cannot be are refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.export import OnnxSession, export_model
from hicmae_mm.export.exporting import window_seconds
from hicmae_mm.export.recognizer import ExportableRecognizer, prepare_inputs
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded
from tests.models.foreign import tiny_transformers as tiny

pytest.importorskip('transformers')


def recognizer(**kinds: str) -> tuple[nn.Module, Config]:
    encoders: dict[str, Any] = {
        stream: dict(type='TransformersEncoder', config=tiny.config(name)) for stream, name in kinds.items()
    }
    config = dict(
        type='AudioVisualRecognizer',
        data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
        encoders=encoders,
        fusion=None,
        aggregator=dict(type='MeanPoolAggregator'),
        head=dict(type='ClassificationHead', num_classes=3, init_scale=1.0),
        frozen=('encoders',),
    )
    torch.manual_seed(0)
    return MODELS.build(config).eval(), Config(dict(model=config))


@pytest.mark.slow
@pytest.mark.parametrize('sound', ['wavlm', 'clap_audio_model'])
def test_pictures_and_sound_go_through_onnx(sound: str, tmp_path: Path) -> None:
    model, cfg = recognizer(video='clip_vision_model', audio=sound)
    noise = tiny.inputs(sound)
    shape = (900,) if isinstance(noise, Padded) else tuple(noise.shape[1:])
    views = dict(video=torch.randn(5, 3, 2, 32, 32), audio=torch.randn(5, *shape))
    manifest = export_model(model, cfg, tmp_path, views=views)
    assert manifest.input_shapes == dict(video=(3, 2, 32, 32), audio=shape)
    assert manifest.window_seconds is None
    session, batch = OnnxSession(tmp_path, threads=1), {name: value[:3] for name, value in views.items()}
    with torch.no_grad():
        expected = model(batch, mode='tensor').softmax(dim=-1)
    torch.testing.assert_close(session.predict(batch)['scores'], expected, atol=1e-4, rtol=0)
    assert float(expected.std(dim=0).max()) > 1e-3  # the scores depend on the clips
    with pytest.raises(ValueError, match=r'audio must be \(B, '):
        session.predict(batch | dict(audio=batch['audio'][..., :-1]))


def test_without_clips_the_examples_of_the_encoders_tell_the_shapes() -> None:
    model, cfg = recognizer(video='clip_vision_model', audio='wavlm')
    exported = ExportableRecognizer(model)
    assert exported.input_shapes() == dict(video=(3, 16, 32, 32), audio=(16000,))
    assert exported.example_inputs(2)['audio'].shape == (2, 16000)
    alone = ExportableRecognizer(recognizer(audio='wavlm')[0])
    assert window_seconds(cfg, alone) is None


def test_text_is_refused() -> None:
    model, _ = recognizer(audio='wavlm', text='bert')
    with pytest.raises(ValueError, match="stream 'text' cannot be exported: TransformersEncoder takes token ids"):
        ExportableRecognizer(model)


def test_clips_of_one_length_are_read_and_others_refused() -> None:
    model, _ = recognizer(audio='wavlm')
    rows = [torch.randn(900), torch.randn(900)]
    batch = dict(inputs=dict(audio=Padded.stack(rows)), data_samples=[])
    assert torch.equal(prepare_inputs(model, batch)['audio'], torch.stack(rows))
    batch['inputs'] = dict(audio=Padded.stack([rows[0], rows[1][:500]]))
    with pytest.raises(ValueError, match='clips differ in the length of audio, and an exported model takes one'):
        prepare_inputs(model, batch)
