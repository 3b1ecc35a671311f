from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.config.paths import configs_root
from hicmae_mm.export import export_model, exporting, open_session
from hicmae_mm.export.comparison import checked_batches, compare_speed, largest_difference
from hicmae_mm.export.evaluation import set_predictions
from hicmae_mm.export.exporting import window_seconds
from hicmae_mm.export.manifest import Manifest, read_manifest, replaced_folder
from hicmae_mm.export.recognizer import ExportableRecognizer
from hicmae_mm.structures import EmotionDataSample
from tests.export.conftest import tiny_config
from tests.models.tiny import build, inputs, pretrainer_config

VALUES = dict(type='RegressionHead', num_outputs=2, init_scale=1.0)
TASKS = dict(type='MultiTaskHead', heads=dict(valence=VALUES, emotion=dict(type='ClassificationHead', num_classes=3)))


def test_description_tells_how_to_feed_the_model(onnx_folder: Path, cfg: Config) -> None:
    content = json.loads((onnx_folder / 'model.json').read_text())
    audio, video = content['inputs']['audio'], content['inputs']['video']
    assert (audio['shape'], audio['dtype']) == ([1, 32, 32], 'float32')
    assert (audio['sample_rate_hz'], audio['highest_hz'], audio['num_mel_bins']) == (16000, 8000, 32)
    assert (audio['frame_length_ms'], audio['frame_shift_ms'], audio['window']) == (25, 10, 'hann')
    assert video['shape'] == [3, 4, 32, 32]
    assert video['mean'] == pytest.approx([123.675, 116.28, 103.53], abs=1e-4)
    assert [video[name] for name in ('frame_interval', 'temporal_views', 'spatial_views')] == [2, 2, 2]
    assert content['outputs'] == {'scores': {'kind': 'probabilities', 'names': ['a', 'b', 'c']}}
    assert content['classes'] == ['a', 'b', 'c']
    assert content['checkpoint'] == {'file': 'tiny.pth', 'sha256': '0' * 64}
    assert content['window_seconds'] == 4 * 2 / 25
    assert 0 <= content['max_difference'] < 1e-5
    assert content['versions']['torch'] == metadata.version('torch')
    assert content['config'] == cfg.pretty_text
    assert {path.name for path in onnx_folder.iterdir()} == {'model.onnx', 'model.json'}


def test_graph_is_plain_onnx_without_traces_of_its_maker(onnx_folder: Path) -> None:
    graph = onnx.load(onnx_folder / 'model.onnx')
    assert [(opset.domain, opset.version) for opset in graph.opset_import] == [('', 20)]
    assert {'LayerNormalization', 'Gelu', 'Softmax'} <= {node.op_type for node in graph.graph.node}
    assert [entry.name for entry in graph.graph.input] == ['video', 'audio']
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert b'.py' not in (onnx_folder / 'model.onnx').read_bytes()


@pytest.mark.parametrize(
    ('streams', 'head', 'kinds'),
    [
        (('audio',), VALUES, {'scores': 'values'}),
        (('video',), TASKS, {'values': 'values', 'scores': 'probabilities'}),
    ],
)
def test_eager_outputs_by_head(streams: tuple[str, ...], head: dict[str, Any], kinds: dict[str, str]) -> None:
    model = build(tiny_config(*streams, head=head).model)
    recognizer, views = ExportableRecognizer(model), inputs(2)
    with torch.no_grad():
        outputs, expected = recognizer(views), model(views)
    assert recognizer.kinds == kinds
    assert list(recognizer.input_shapes()) == list(streams)
    if head is VALUES:
        torch.testing.assert_close(outputs['scores'], expected)
    else:
        torch.testing.assert_close(outputs['values'], expected['valence'])
        torch.testing.assert_close(outputs['scores'], expected['emotion'].softmax(dim=-1))


def test_time_of_a_view() -> None:
    def seconds(name: str) -> float | None:
        cfg = Config.fromfile(configs_root() / name)
        with torch.device('meta'):
            return window_seconds(cfg, ExportableRecognizer(build(cfg.model)))

    assert seconds('hicmae_base_cremad.py') == 16 * 4 / 25
    assert seconds('hicmae_base_werewolf_xl.py') == 16 * 3 / 25
    assert seconds('hicmae_nano_audio_synthetic.py') == 2.56


def test_what_cannot_be_exported(cfg: Config, model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="format must be one of .*, got 'tflite'"):
        export_model(model, cfg, tmp_path, format='tflite')
    with pytest.raises(ValueError, match="is_int8 is for format='onnx'"):
        export_model(model, cfg, tmp_path, format='torch-export', is_int8=True)
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        export_model(model, cfg, tmp_path, batch_size=0)
    with pytest.raises(ValueError, match='only recognizers can be exported, got AudioVisualPretrainer'):
        export_model(build(pretrainer_config()), cfg, tmp_path)


def test_model_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = tiny_config('audio')
    monkeypatch.setattr(exporting, 'TOLERANCE', -1.0)
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match='differs from the eager one by .*: nothing was written'):
        export_model(build(cfg.model), cfg, out, format='torch-export', views=inputs(5))
    assert not out.exists()


def test_folder_is_whole_or_as_before(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    manifest = Manifest('onnx', 'model.onnx', {}, {}, '')
    with replaced_folder(out) as folder:
        (folder / 'model.onnx').write_text('first')
        (folder / 'model.onnx.data').write_text('weights')
        manifest.write(folder)
    with pytest.raises(FileNotFoundError), replaced_folder(out) as folder:
        (folder / 'not_there' / 'model.pt2').write_text('second')
    assert {path.name for path in out.iterdir()} == {'model.onnx', 'model.onnx.data', 'model.json'}
    assert read_manifest(out) == manifest
    (out / '.partial').mkdir()  # of a process that was killed
    (out / '.partial' / 'model.onnx').write_text('half')
    (out / 'notes.txt').touch()
    with replaced_folder(out) as folder:
        (folder / 'model.pt2').write_text('third')
        Manifest('torch-export', 'model.pt2', {}, {}, '').write(folder)
    assert {path.name for path in out.iterdir()} == {'model.pt2', 'model.json', 'notes.txt'}


def test_largest_difference_is_over_all_views_and_outputs(program_folder: Path, model: nn.Module) -> None:
    recognizer, session = ExportableRecognizer(model), open_session(program_folder, trust_source=True)
    assert checked_batches(None) == (1, 2, 3, 5)
    assert checked_batches(4) == (4, 5)
    assert largest_difference(recognizer, session, inputs(3), (1, 3)) < 1e-5
    model.head.fc.bias.data[0] += 1
    try:
        with torch.no_grad():
            changed = recognizer(inputs(3))['scores']
        found = largest_difference(recognizer, session, inputs(3), (1, 3))
        assert found == pytest.approx(float((changed - session.predict(inputs(3))['scores']).abs().max()))
        assert found > 0.05
    finally:
        model.head.fc.bias.data[0] -= 1


def test_speed_is_relative_to_the_first() -> None:
    def work(count: int) -> Any:
        return lambda: [torch.rand(200, 200) @ torch.rand(200, 200) for _ in range(count)]

    report = compare_speed({'one': work(4), 'four': work(40)}, rounds=3)
    assert report['one']['ratio'] == 1
    assert report['four']['cpu_ratio'] > 3
    assert report['four']['seconds'] >= report['one']['seconds']


def test_predictions_are_averaged_over_views() -> None:
    samples = [EmotionDataSample(metainfo={'num_views': 2}), EmotionDataSample(metainfo={'num_views': 1})]
    outputs = {'scores': torch.tensor([[0.2, 0.8], [0.6, 0.4], [1, 0]]), 'values': torch.tensor([[1.0], [3.0], [5.0]])}
    first, second = set_predictions(samples, outputs, {'scores': 'probabilities', 'values': 'values'})
    torch.testing.assert_close(first.pred_score, torch.tensor([0.4, 0.6]))
    assert first.pred_label.tolist() == [1]
    assert first.pred_values.tolist() == [2]
    assert second.pred_label.tolist() == [0]
    assert second.pred_values.tolist() == [5]


@pytest.mark.slow  # several exports to ONNX
@pytest.mark.parametrize(
    ('streams', 'options', 'export'),
    [
        (('audio',), dict(head=VALUES), dict(opset=23)),
        (('video',), dict(head=TASKS), dict(batch_size=3)),
        (('video', 'audio'), dict(missing_streams='zero'), dict(is_int8=True)),
    ],
)
def test_every_kind_of_recogniser_as_onnx(
    streams: tuple[str, ...], options: dict[str, Any], export: dict[str, Any], tmp_path: Path
) -> None:
    cfg = tiny_config(*streams, **options)
    model = build(cfg.model)
    views = inputs(5)
    manifest = export_model(model, cfg, tmp_path, views=views, **export)
    assert manifest == read_manifest(tmp_path)
    session, recognizer = open_session(tmp_path), ExportableRecognizer(model)
    assert session.streams == streams
    with torch.no_grad():
        expected = recognizer({name: views[name] for name in streams})
    is_int8 = bool(export.get('is_int8'))
    for name, value in session.predict(views).items():
        torch.testing.assert_close(value, expected[name], atol=0.03 if is_int8 else 1e-5, rtol=0)
    assert manifest.precision == ('int8' if is_int8 else 'float32')
    if is_int8:
        operators = {node.op_type for node in onnx.load(tmp_path / 'model.onnx').graph.node}
        assert 'MatMulInteger' in operators
        assert 1e-5 < (manifest.max_difference or 0) < 0.03


def test_lora_is_merged_and_quantised(tmp_path: Path) -> None:
    pytest.importorskip('peft')
    lora = dict(type='LoRA', target='encoders', modules=r'attn\.(qkv|proj)|mlp\.fc[12]', r=2)
    config = tiny_config('audio', adapters=[lora])
    model = build(config.model)
    for name, value in model.named_parameters():
        if 'lora_' in name:
            nn.init.normal_(value, std=0.3)
    views = {'audio': inputs(5)['audio']}
    expected = model.eval()(views)
    manifest = export_model(model, config, tmp_path / 'int8', is_int8=True, views=views)
    torch.testing.assert_close(model(views), expected, atol=1e-5, rtol=1e-5)
    assert manifest.max_difference is not None
    graph = onnx.load(tmp_path / 'int8' / 'model.onnx').graph
    names = [node.op_type for node in graph.node]
    assert not [value.name for value in graph.initializer if 'lora' in value.name]
    assert 'MatMulInteger' in names or 'DynamicQuantizeLinear' in names
