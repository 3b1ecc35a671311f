"""Every shipped config: its form, its components, and one training step through its own pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config, ConfigDict
from mmengine.registry import Registry, init_default_scope

from hicmae_mm import registry as R
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.origins import config_origins
from hicmae_mm.config.paths import configs_root
from hicmae_mm.config.reading import base_files
from hicmae_mm.datasets.writers import write_video, write_wav
from hicmae_mm.engine import build_runner
from hicmae_mm.registry import DATASETS
from tests.datasets.shards.packed import pack
from tests.resolved_configs import config_names, resolved, stored
from tests.tiny_config import LOADERS, data_sets, make_tiny

LEAVES = sorted(path for path in configs_root().rglob('*.py') if '_base_' not in path.parts)
REGISTRIES = [value for value in vars(R).values() if isinstance(value, Registry)]
# where the published number of a recipe is known, it and this remark stand in the config's first lines
PUBLISHED = {'hicmae_base_cremad': ('84.94', '84.91')}

pytestmark = pytest.mark.usefixtures('frozen_heap', 'unformatted_configs')

leaf = pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)


def test_there_are_leaves() -> None:
    names = {path.stem for path in LEAVES}
    assert {f'hicmae_{size}_pretrain_voxceleb2' for size in ('tiny', 'small', 'base')} < names
    assert {'hicmae_base_cremad', 'hicmae_nano_pretrain_synthetic', 'hicmae_nano_synthetic'} < names


@leaf
def test_leaf_opens_with_its_launch_line(path: Path) -> None:
    opening = path.read_text().partition('_base_ = ')[0]
    first_lines = opening.splitlines()[:4]
    assert any('tools/' in line and path.relative_to(configs_root().parent).as_posix() in line for line in first_lines)
    for number in PUBLISHED.get(path.stem, ()):
        assert number in opening
        assert 'not yet reproduced here' in opening


@leaf
def test_leaf_inherits_from_base_files_or_from_the_leaf_that_it_varies(path: Path) -> None:
    bases = base_files(path)
    assert bases
    others = [base for base in bases if '_base_' not in base.parts]
    assert not others or others == bases == [path.parent / bases[0].name]


@pytest.mark.parametrize('size', ['small', 'tiny'])
def test_a_size_states_only_what_differs(size: str) -> None:
    for path in configs_root().glob(f'hicmae_{size}_*.py'):
        if 'pretrain' in path.stem:
            continue
        own = {key for key, origin in config_origins(path).items() if origin.source == path.as_posix()}
        widths = {
            f'model.encoders.{stream}.{key}' for stream in ('video', 'audio') for key in ('embed_dims', 'num_heads')
        }
        assert own == {*widths, 'model.fusion.num_heads', 'work_dir'}


@pytest.mark.parametrize('name', sorted(stored()))
def test_config_resolves_as_stored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _environment_variables():
        monkeypatch.delenv(variable, raising=False)
    assert resolved(configs_root() / name) == stored()[name]


def _environment_variables() -> set[str]:
    texts = [(configs_root() / name).read_text() for name in config_names()]
    return {variable for text in texts for variable in re.findall(r'{{\$(\w+)', text)}


def test_every_config_is_stored() -> None:
    assert config_names() == sorted(stored())


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get('type'), str):
            yield value['type']
        for item in value.values():
            yield from _types(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _types(item)


@leaf
def test_every_component_of_a_leaf_is_registered_and_every_option_known(path: Path) -> None:
    cfg = Config.fromfile(path)
    check_config(cfg)
    assert cfg.default_scope == 'hicmae_mm'
    init_default_scope('hicmae_mm')
    unknown = {kind for kind in _types(cfg.to_dict()) if all(registry.get(kind) is None for registry in REGISTRIES)}
    assert unknown == set()


def test_fold_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    path = configs_root() / 'hicmae_base_cremad.py'
    monkeypatch.delenv('FOLD', raising=False)
    assert Config.fromfile(path).train_dataloader.dataset.ann_file == 'fold1/train.csv'
    monkeypatch.setenv('FOLD', '4')
    cfg = Config.fromfile(path)
    assert cfg.train_dataloader.dataset.ann_file == 'fold4/train.csv'
    assert cfg.test_dataloader.dataset.ann_file == 'fold4/test.csv'


@pytest.fixture(scope='module')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of 256 x 256 pixels and 3.2 s, long enough for 16 frames at stride 4."""
    folder = tmp_path_factory.mktemp('corpus')
    noise = np.random.default_rng(0)
    for number in range(4):
        coarse = noise.integers(0, 256, (80, 8, 8, 3), dtype=np.uint8)
        write_video(folder / f'{number}.mp4', coarse.repeat(32, axis=1).repeat(32, axis=2), fps=25)
        write_wav(folder / f'{number}.wav', noise.normal(0, 0.1, int(3.2 * 16000)).astype(np.float32))
    return folder


def _write_frame_table(fields: set[str], num_units: int, folder: Path) -> str:
    """A table of the four clips, whose columns name targets of 80 frames each; returns its name."""
    targets = {
        'expression': np.arange(80) % 3 - 1,
        'valence_arousal': np.stack([np.sin(np.arange(80.0)), np.cos(np.arange(80.0))], axis=1),
        'action_units': np.arange(80)[:, None].repeat(num_units, axis=1) % 2,
    }
    for field in fields:
        np.save(folder / f'{field}_{num_units}.npy', targets[field])
    names = sorted(fields)
    lines = [
        ','.join(['sample_id', 'video', 'audio', 'start', 'end', 'recording', 'first_frame', 'num_frames', *names])
    ]
    for number in range(4):
        files = [f'{field}_{num_units}.npy' for field in names]
        lines.append(
            ','.join([f'{number}@0', f'{number}.mp4', f'{number}.wav', '0', '3', str(number), '0', '4', *files])
        )
    name = f'{"_".join(names)}_{num_units}.csv'
    (folder / name).write_text('\n'.join(lines) + '\n')
    return name


def _write_list(dataset: ConfigDict, folder: Path) -> str:
    """A list of the four clips with the label columns that the data set expects; returns its name."""
    kind = DATASETS.get(dataset.type)
    fields = {step.field for step in dataset.get('pipeline', ()) if step.type == 'LoadFrameTargets'}
    if fields:
        units = {**kind.METAINFO, **dataset.get('metainfo', {})}.get('action_units', ())
        return _write_frame_table(fields, len(units), folder)
    task = dataset.get('task') or kind.TASK
    num_values = len({**kind.METAINFO, **dataset.get('metainfo', {})}.get('dimensions', ()))
    lines = []
    for number in range(4):
        values = [f'{0.1 * number * (value + 1):.2f}' for value in range(num_values)]
        labels = [str(number % 2)] * (max(dataset.get('label_columns') or [0]) + 1)
        columns = dict(classification=labels, regression=values, multitask=labels + values, unlabelled=[])[task]
        lines.append(' '.join([f'{number}.mp4', f'{number}.wav', *columns]))
    name = f'{dataset.type}_{task}.txt'
    (folder / name).write_text('\n'.join(lines) + '\n')
    return name


def _write_talk(dataset: ConfigDict, folder: Path) -> str:
    """The same clips as a conversation, with words and action units; returns the name of the table."""
    units = [unit for step in dataset.get('pipeline', ()) for unit in step.get('action_units', {}).values()]
    label = 'values' if DATASETS.get(dataset.type).TASK == 'regression' else 'label'
    rows = [','.join([f'video,audio,{label},text,dialogue,turn,speaker', *units])]
    rows += [
        f'{number}.mp4,{number}.wav,{number % 2},a word,talk{number // 3},{number},{number % 2}' + ',0.6' * len(units)
        for number in range(4)
    ]
    (folder / f'talk_{label}.csv').write_text('\n'.join(rows) + '\n')
    (folder / 'words.txt').write_text('[UNK]\na\n')
    return f'talk_{label}.csv'


def _write_vectors(folder: Path, feature_dims: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(3):
        np.save(folder / f'{number}.npy', np.full(feature_dims, number, np.float32))


def _for_a_quick_run(cfg: Config, corpus: Path, work_dir: Path) -> None:
    make_tiny(cfg, work_dir)
    for loader in filter(None, map(cfg.get, LOADERS)):
        for dataset in data_sets(loader.dataset):
            has_words = any(step.type == 'Tokenize' for step in dataset.get('pipeline', ()))
            write = _write_talk if 'batch_sampler' in loader or has_words else _write_list
            dataset.update(data_root=str(corpus), ann_file=write(dataset, corpus), indices=2)
            if dataset.type == 'AudioVisualShards':
                shards = pack(corpus / dataset.ann_file, work_dir / 'shards', crop=(0, 32, 160, 160))
                dataset.update(data_root=str(shards), ann_file='index.json')
            dataset.pop('data_prefix', None)
            _write_features(dataset, cfg.model, corpus)


def _write_features(dataset: ConfigDict, model: ConfigDict, folder: Path) -> None:
    """Features of the four clips, of the lengths that the encoders take."""
    for step in dataset.get('pipeline', ()):
        if step.type == 'LoadFeatureTarget':
            _write_vectors(folder / step.source, model.objectives[step.target].feature_dims)
        if step.type == 'LoadFeature':
            width = model.encoders[step.stream].in_channels
            step.source = f'features_{width}'
            (folder / step.source).mkdir(exist_ok=True)
            for number in range(4):
                feature = np.random.default_rng(number).normal(size=(4 + number, width))
                np.save(folder / step.source / f'{number}.npy', feature.astype(np.float32))


@pytest.fixture(scope='module')
def trained() -> dict[str, str]:
    """Quick runs that were made, by their whole config: sizes of a model that are made tiny are often the same one."""
    return {}


def _content(cfg: Config, *folders: Path) -> str:
    """The config as text, without its name and the folders of the test."""
    text = str({key: value for key, value in cfg.to_dict().items() if key != 'experiment_name'})
    for number, folder in enumerate(folders):
        text = text.replace(str(folder), f'folder {number}')
    return text


@pytest.mark.slow
@leaf
def test_leaf_builds_and_takes_a_training_step_through_its_own_pipeline(
    path: Path, corpus: Path, tmp_path: Path, trained: dict[str, str]
) -> None:
    cfg = Config.fromfile(path)
    _for_a_quick_run(cfg, corpus, tmp_path / path.stem)
    if trained.setdefault(_content(cfg, tmp_path / path.stem, corpus), path.stem) != path.stem:
        return  # the same run was made
    runner = build_runner(cfg)
    before = {name: parameter.detach().clone() for name, parameter in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == len(runner.train_dataloader) <= 3
    after = dict(runner.model.named_parameters())
    assert all(parameter.isfinite().all() for parameter in after.values())
    assert any(not parameter.equal(before[name]) for name, parameter in after.items())
    losses = [value for key, value in runner.message_hub.log_scalars.items() if key.startswith('train/loss')]
    assert losses
    assert all(np.isfinite(value.current()) for value in losses)
    if cfg.get('test_dataloader'):
        measures = runner.test()
        assert measures
        assert all(np.isfinite(value) for value in measures.values())
