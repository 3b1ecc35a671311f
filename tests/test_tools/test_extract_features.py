"""tools/extract_features.py: values of the model itself, lists and shards, bad clips, several ranks, SIGKILL."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression

from hicmae_mm.config.paths import tools_root
from hicmae_mm.datasets import AudioVisualDataset, collate_audio_visual
from hicmae_mm.datasets.writers import write_wav
from hicmae_mm.features import load_features, read_info
from hicmae_mm.registry import MODELS
from tests.datasets.shards.packed import pack
from tests.engine.tiny_run import pretrain_config
from tests.test_tools.command import run_tool, wait_for

pytestmark = pytest.mark.slow
Tool = Callable[[list[object]], int]


@pytest.fixture(scope='module')
def extract() -> Tool:
    main = runpy.run_path(str(tools_root() / 'extract_features.py'))['main']
    return lambda arguments: main([*map(str, arguments), '--num-workers', '0'])


@pytest.fixture(scope='module')
def checkpoint(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config_file).model)
    path = tmp_path_factory.mktemp('checkpoint') / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def _same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert list(first) == list(second)
    for name, values in first.items():
        assert len(values) == len(second[name])
        for one, other in zip(values, second[name]):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(('level', 'ending'), [('clip', 'UTT'), ('frame', 'FRA')])
def test_a_file_per_clip_has_the_row_of_the_table(
    level: str, ending: str, extract: Tool, config_file: Path, checkpoint: Path, tmp_path: Path
) -> None:
    options = ['--level', level, '--streams', 'audio']
    assert extract([config_file, checkpoint, '--out', tmp_path / 'table', *options]) == 0
    assert extract([config_file, checkpoint, '--out', tmp_path / 'files', *options, '--layout', 'per-clip']) == 0
    table = load_features(tmp_path / 'table')
    (name,) = (column for column in table if column.startswith('audio_layer'))
    names = sorted(path.name for path in (tmp_path / 'files' / f'{name}-{ending}').iterdir())
    assert names == sorted(f'{number}.npy' for number in range(13))
    for sample_id, row in zip(table['sample_id'], table[name]):
        file = tmp_path / 'files' / f'{name}-{ending}' / f'{Path(sample_id).stem}.npy'
        np.testing.assert_array_equal(np.load(file), row)
    _same(load_features(tmp_path / 'files'), table)
    with pytest.raises(SystemExit):
        extract([config_file, checkpoint, '--out', tmp_path / 'x', '--layout', 'per-clip', '--format', 'parquet'])


@torch.no_grad()
def test_rows_are_what_the_model_computes(
    extract: Tool, config_file: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'new' / 'features'
    options = ['--layers', '0,2', '--scores', '--part-size', 5, '--batch-size', 2]
    assert extract([config_file, checkpoint, '--out', out, *options]) == 0
    assert '13 of 13 clips' in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {'.lock', 'features.json', 'features.parquet', 'settings.json'}
    found = load_features(out)
    cfg = Config.fromfile(config_file)
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    settings = dict(cfg.test_dataloader.dataset)
    settings.pop('type')
    dataset = AudioVisualDataset(**settings)
    inputs = model.data_preprocessor(collate_audio_visual([dataset[i] for i in range(13)]))['inputs']
    clip = model.extract_features(inputs)
    np.testing.assert_allclose(found['clip'], clip, atol=1e-5)
    np.testing.assert_allclose(found['pred_score'], model.head(clip).softmax(-1), atol=1e-5)
    for name, encoder in model.encoders.items():
        hidden = encoder(inputs[name]).hidden
        for layer in (0, 2):
            np.testing.assert_allclose(found[f'{name}_layer{layer}'], hidden[layer].mean(1), atol=1e-5)
    assert found['index'].tolist() == list(range(13))
    assert found['sample_id'].tolist() == [f'{number}.mp4' for number in range(13)]
    assert found['gt_label'].tolist() == [number % 2 for number in range(13)]

    # a finished extraction is left alone, also by the same weights in another file
    before = (out / 'features.parquet').stat().st_mtime_ns
    (out / 'parts').mkdir()  # as a process leaves it that dies after the last step but one
    (out / 'parts' / 'part-0000000.npz').touch()
    save_file({name: value.clone() for name, value in model.state_dict().items()}, tmp_path / 'model.safetensors')
    assert extract([config_file, tmp_path / 'model.safetensors', '--out', out, *options]) == 0
    assert (out / 'features.parquet').stat().st_mtime_ns == before
    assert not (out / 'parts').exists()
    assert extract([config_file, checkpoint, '--out', out]) == 1
    assert 'has features of other settings (layers: ' in capsys.readouterr().err
    assert extract([config_file, checkpoint, '--out', out, '--format', 'npy', '--fp16', '--force']) == 0
    assert not (out / 'features.parquet').exists()
    half = load_features(out)
    np.testing.assert_array_equal(half['clip'], found['clip'].astype(np.float16))


def test_linear_probe(extract: Tool, config_file: Path, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    """Colour and pitch tell the class: even untrained encoders pass that on."""
    out = tmp_path / 'features'
    arguments = ['--split', 'train', '--streams', 'audio', 'video']
    assert extract([config_file, checkpoint, '--out', out, *arguments]) == 0
    found = load_features(out)
    assert len(found['index']) == 20
    features = np.concatenate([found['audio_layer2'], found['video_layer2']], axis=1)
    probe = LogisticRegression(max_iter=1000).fit(features[:12], found['gt_label'][:12])
    assert probe.score(features[12:], found['gt_label'][12:]) == 1


def test_pretrained_models_and_time_steps(
    extract: Tool, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = pretrain_config(corpus, Path())
    cfg.dump(tmp_path / 'pretrain.py')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'model.pth')
    arguments = ['--level', 'frame', '--ann-file', 'test.txt', '--data-root', corpus, '--unlabelled']
    assert extract([tmp_path / 'pretrain.py', tmp_path / 'model.pth', '--out', tmp_path / 'out', *arguments]) == 0
    assert 'Left out of the training pipeline: TubeMask, RandomMask' in capsys.readouterr().out
    found = load_features(tmp_path / 'out')
    assert 'gt_label' not in found
    assert {rows.shape for rows in found['video_layer2']} == {(2, 16)}
    np.testing.assert_allclose(found['video_seconds'][0], [0, 4 / 12])  # frames 0 and 4 of 12 a second
    np.testing.assert_allclose(found['audio_seconds'][0], [0, 0.16])
    assert read_info(tmp_path / 'out')['steps']['video'] == dict(count=2, inputs_of_a_step=2)


def _frame_corpus(folder: Path) -> Path:
    """Folders of JPEG files, and sound of 16 bits: what shards keep as it is."""
    noise = np.random.default_rng(0)
    for name in 'abcde':
        (folder / name).mkdir(parents=True)
        for number in range(8):
            frame = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / name / f'{number}.jpg'), frame)
        write_wav(folder / f'{name}.wav', noise.normal(0, 0.1, 16000))
    (folder / 'list.csv').write_text(
        ''.join(f'{name} {name}.wav {number % 2}\n' for number, name in enumerate('abcde'))
    )
    return folder


def test_shards_give_what_their_list_gives(extract: Tool, config_file: Path, checkpoint: Path, tmp_path: Path) -> None:
    folder = _frame_corpus(tmp_path / 'corpus')
    pack(folder / 'list.csv', tmp_path / 'shards', samples_per_shard=2, seed=None)
    outs = []
    for source in (['--ann-file', folder / 'list.csv'], ['--shards', tmp_path / 'shards']):
        outs.append(tmp_path / source[0])
        assert extract([config_file, checkpoint, '--out', outs[-1], *source, '--layers', 'all']) == 0
    _same(*map(load_features, outs))


def test_bad_clips_are_listed_and_have_no_row(
    extract: Tool, config_file: Path, checkpoint: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'broken.mp4').write_bytes((corpus / '1.mp4').read_bytes()[:500])
    lines = (corpus / 'test.txt').read_text().splitlines()[:6]
    lines[1] = f'{tmp_path}/broken.mp4 1.wav 1'
    lines[4] = 'absent.mp4 4.wav 0'
    lines[5] = '5.mp4 absent.wav 1'
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    options = ['--ann-file', tmp_path / 'list.txt', '--data-root', corpus, '--part-size', 4, '--batch-size', 1]
    assert extract([config_file, checkpoint, '--out', tmp_path / 'out', *options]) == 1
    assert '3 of 6 clips are bad' in capsys.readouterr().err
    bad = json.loads((tmp_path / 'out' / 'bad_clips.json').read_text())
    assert [item['index'] for item in bad] == [1, 4, 5]
    assert 'line 5: ' in bad[1]['reason']
    assert 'absent.mp4' in bad[1]['reason']
    assert load_features(tmp_path / 'out')['index'].tolist() == [0, 2, 3]
    assert extract([config_file, checkpoint, '--out', tmp_path / 'out', *options, '--allow-failures']) == 0


def test_features_beyond_half_precision_are_bad(
    extract: Tool, config_file: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(checkpoint)['state_dict']
    state['encoders.audio.norm.weight'] *= 1e7
    torch.save(dict(state_dict=state), tmp_path / 'large.pth')
    arguments = [config_file, tmp_path / 'large.pth', '--streams', 'audio', '--fp16', '--out', tmp_path / 'out']
    assert extract(arguments) == 1
    assert 'none of 13 clips has features' in capsys.readouterr().err
    reasons = [item['reason'] for item in json.loads((tmp_path / 'out' / 'bad_clips.json').read_text())]
    assert reasons[0] == '0.mp4: audio_layer2 has numbers outside of the range of float16'
    state['encoders.audio.norm.weight'] *= float('nan')
    torch.save(dict(state_dict=state), tmp_path / 'large.pth')
    assert extract([*arguments, '--force']) == 1
    message = capsys.readouterr().err
    assert 'large.pth' in message
    assert 'encoders.audio.norm.weight' in message


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--streams', 'face'], "(level 'clip'), got ['face']"),
        (['--layers', '3'], 'encoder has the layers 0..2'),
        (['--ann-file', 'absent.csv'], 'absent.csv does not exist'),
        (['--shards', 'absent'], 'absent/index.json does not exist'),
        (['--shards', 'a', '--ann-file', 'b'], 'give only one of them'),
        (['--cfg-options', 'modle.type=x'], "did you mean 'model'"),
        (['--launcher', 'pytorch'], 'needs the environment variables RANK'),
    ],
)
def test_mistakes_end_in_one_line(
    extract: Tool, config_file: Path, checkpoint: Path, tmp_path: Path, arguments: list[str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert extract([config_file, checkpoint, '--out', tmp_path / 'out', *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ')
    assert message in line
    assert not (tmp_path / 'out').exists()


@pytest.mark.dist
def test_two_ranks_take_over_from_one_that_was_killed(
    extract: Tool, config_file: Path, checkpoint: Path, corpus: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    lines = (corpus / 'clips.txt').read_text().splitlines() * 6
    (tmp_path / 'long.txt').write_text('\n'.join(lines))
    arguments = [config_file, checkpoint, '--ann-file', tmp_path / 'long.txt', '--data-root', corpus]
    arguments += ['--level', 'frame', '--part-size', 7, '--batch-size', 4]
    straight, killed = tmp_path / 'straight', tmp_path / 'killed'
    assert extract([*arguments, '--out', straight]) == 0

    tool = [sys.executable, tools_root() / 'extract_features.py']
    path = os.pathsep.join(filter(None, [str(tools_root().parent), os.environ.get('PYTHONPATH')]))
    process = subprocess.Popen(
        [*map(str, (*tool, *arguments)), '--out', str(killed), '--num-workers', '1'],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '', 'PYTHONPATH': path},
    )
    wait_for(killed / 'parts' / 'part-0000002.npz', process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {file.name: file.stat().st_mtime_ns for file in (killed / 'parts').glob('*.npz')}
    assert 3 <= len(kept) < 18  # 120 clips
    assert not (killed / 'features.json').exists()

    rest = [config_file, checkpoint, 2, *arguments[2:], '--out', killed, '--num-workers', 0]
    result = run_tool('dist_extract_features.sh', *rest, OMP_NUM_THREADS=1, CUDA_VISIBLE_DEVICES='')
    (line,) = [line for line in result.stdout.splitlines() if 'on the first of 2 processes' in line]
    parts_left = (18 - len(kept) + 1) // 2
    assert int(line.split()[0]) in (7 * parts_left, 7 * parts_left - 6)  # the last part has one clip
    _same(load_features(killed), load_features(straight))
    assert load_features(killed)['index'].tolist() == list(range(120))
    assert not (killed / 'parts').exists()
