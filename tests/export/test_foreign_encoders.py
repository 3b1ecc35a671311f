"""Models with encoders of other libraries are exported, and clips that do not fit are refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.export import OnnxSession, export_model
from hicmae_mm.export.clips import read_views
from hicmae_mm.export.exporting import window_seconds
from hicmae_mm.export.recognizer import ExportableRecognizer, prepare_inputs
from hicmae_mm.export.token_ids import split_lengths
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


@pytest.mark.slow
def test_texts_of_different_lengths_go_through_onnx(tmp_path: Path) -> None:
    model, cfg = recognizer(audio='wavlm', text='bert')
    texts = Padded.stack([torch.randint(3, 30, (length,)) for length in (7, 1, 4, 6, 2)])
    views = dict(audio=torch.randn(5, 900), text=texts)
    steps = [dict(type='Tokenize', vocabulary='words.txt', max_length=9)]
    cfg.test_dataloader = dict(dataset=dict(type='AudioVisualDataset', pipeline=steps))
    manifest = export_model(model, cfg, tmp_path, views=views)
    assert float(manifest.max_difference or 1) < 1e-5
    assert manifest.inputs['text'] == dict(shape=[9], dtype='int64', lengths='text_lengths', vocabulary='words.txt')
    session = OnnxSession(tmp_path, threads=1)
    assert session.streams == ('audio', 'text')
    alone = dict(audio=views['audio'][2:3], text=texts.values[2:3, :4])  # without lengths all ids are words
    with torch.no_grad():
        expected = model(alone, mode='tensor').softmax(dim=-1)
    torch.testing.assert_close(session.predict(alone)['scores'], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(session.predict(views)['scores'][2:3], expected, atol=1e-5, rtol=0)
    assert (
        float((session.predict(views | dict(text=texts.values.flip(0)))['scores'][2:3] - expected).abs().max()) > 1e-4
    )
    with pytest.raises(ValueError, match="text of the stream 'text' has 10 tokens, and the exported model takes 9"):
        session.predict(alone | dict(text=torch.ones(1, 10, dtype=torch.long)))
    with pytest.raises(TypeError, match='text must be token ids of Tokenize'):
        session.predict(alone | dict(text=torch.ones(1, 4)))


def test_texts_have_two_inputs_and_need_test_data_to_be_compared(tmp_path: Path) -> None:
    model, cfg = recognizer(audio='wavlm', text='bert')
    exported = ExportableRecognizer(model)
    assert {name: tuple(value.shape) for name, value in exported.example_inputs(2).items()} == dict(
        audio=(2, 16000), text=(2, 20), text_lengths=(2,)
    )
    texts = Padded.stack([torch.tensor([4, 5, 6]), torch.tensor([7])])
    inputs = dict(audio=torch.randn(2, 900), text=texts)
    split = dict(audio=inputs['audio'], **split_lengths('text', texts, 5))
    assert split['text'].tolist() == [[4, 5, 6, 0, 0], [7, 0, 0, 0, 0]]
    assert split['text_lengths'].tolist() == [3, 1]
    with torch.no_grad():
        torch.testing.assert_close(exported(split), exported(inputs))
    assert prepare_inputs(model, dict(inputs=inputs, data_samples=[]))['text'].lengths.tolist() == [3, 1]
    with pytest.raises(ValueError, match=r"needs all streams of all clips, but some lack \['text'\]"):
        prepare_inputs(model, dict(inputs=dict(audio=inputs['audio']), data_samples=[]))
    cfg.test_dataloader = dict(dataset=dict(ann_file='test.csv', data_root=str(tmp_path), pipeline=[]))
    with pytest.raises(
        ValueError, match='model reads text, which neither --media nor noise has: provide the test data'
    ):
        read_views(model, cfg, 2)


def test_clips_of_one_length_are_read_and_others_refused() -> None:
    model, _ = recognizer(audio='wavlm')
    rows = [torch.randn(900), torch.randn(900)]
    batch = dict(inputs=dict(audio=Padded.stack(rows)), data_samples=[])
    assert torch.equal(prepare_inputs(model, batch)['audio'], torch.stack(rows))
    batch['inputs'] = dict(audio=Padded.stack([rows[0], rows[1][:500]]))
    with pytest.raises(ValueError, match='clips differ in the length of audio, and an exported model takes one'):
        prepare_inputs(model, batch)
