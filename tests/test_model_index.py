"""model-index.yml and configs/metafile.yml describe what exists: every config, once, with its true size.

After a config was added or changed: python tools/model_converters/update_metafile.py
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import Config

from hicmae_mm.config.facts import build_empty_model
from hicmae_mm.measuring.metafile import describe, read_metafile
from tests.test_tools.modules import load_tool

ROOT = Path(__file__).resolve().parents[1]
METAFILES = sorted((ROOT / 'configs').rglob('metafile.yml'))
LEAVES = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)
CONTENTS = {path.parent: read_metafile(path) for path in METAFILES}
ENTRIES: list[dict[str, Any]] = [entry for content in CONTENTS.values() for entry in content['Models']]
MODELS: dict[str, dict[str, Any]] = {entry['Name']: entry for entry in ENTRIES}
HINT = 'run tools/model_converters/update_metafile.py'


def test_the_index_imports_every_metafile() -> None:
    imported = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert imported == sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob('configs/**/metafile.yml'))


def test_every_config_is_described_once() -> None:
    assert Counter(entry['Config'] for entry in ENTRIES) == Counter(
        path.relative_to(ROOT).as_posix() for path in LEAVES
    ), HINT
    for folder, content in CONTENTS.items():
        place = folder.relative_to(ROOT).as_posix()
        assert all(entry['Config'] == f'{place}/{entry["Name"]}.py' for entry in content['Models'])


def test_collections_are_described() -> None:
    for content in CONTENTS.values():
        names = {collection['Name'] for collection in content['Collections']}
        assert {entry['In Collection'] for entry in content['Models']} == names
        assert all((ROOT / collection['README']).is_file() for collection in content['Collections'])


@pytest.mark.slow
def test_entries_say_what_the_configs_say() -> None:
    sizes: dict[str, int] = {}
    for path in LEAVES:
        cfg, entry = Config.fromfile(path), MODELS[path.stem]
        key = str(cfg.model)
        if key not in sizes:
            sizes[key] = sum(parameter.numel() for parameter in build_empty_model(cfg).parameters())
        expected = describe(path, ROOT, {'Parameters': sizes[key]})
        assert entry['Metadata'].items() >= expected['Metadata'].items(), f'{path.stem}: {HINT}'
        assert entry['Metadata']['FLOPs'] > 0
        for field in ('Task', 'Dataset'):
            assert entry['Results'][0][field] == expected['Results'][0][field], f'{path.stem}: {HINT}'


@pytest.mark.parametrize('entry', ENTRIES, ids=lambda entry: entry['Name'])
def test_numbers_and_weights_are_honest(entry: dict[str, Any]) -> None:
    """Published numbers stand in the config's header as well; measured ones come with the weights that score them."""
    opening = (ROOT / entry['Config']).read_text().partition('_base_ = ')[0]
    for result in entry['Results']:
        for value in (result.get('Published') or {}).values():
            assert f'{value:.2f}' in opening
        assert result['Metrics'] is None or entry['Weights'] is not None
    assert entry['Weights'] is None or len(entry['Metadata']['Weights SHA256']) == 64


def test_known_published_numbers_are_there() -> None:
    for name, uar, war in (('cremad', 84.94, 84.91), ('mafw', 42.69, 56.21)):
        assert MODELS[f'hicmae_base_{name}']['Results'][0]['Published'] == {'UAR': uar, 'WAR': war}


def test_the_tool_brings_a_metafile_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a copy with one config, as a full update measures every model."""
    folder = tmp_path / 'configs'
    folder.mkdir()
    (folder / '_base_').symlink_to(ROOT / 'configs' / '_base_')
    name = 'hicmae_nano_synthetic'
    (folder / f'{name}.py').write_text((ROOT / 'configs' / f'{name}.py').read_text())
    (folder / 'metafile.yml').write_text('Models:\n- Name: gone\n')
    tool = load_tool('model_converters/update_metafile.py')
    assert tool.main(['--metafile', str(folder / 'metafile.yml')]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f'added: {name}', 'removed: gone']
    assert read_metafile(folder / 'metafile.yml')['Models'] == [MODELS[name]]
    assert tool.main(['--metafile', str(tmp_path / 'absent.yml')]) == 1
    assert capsys.readouterr().err.startswith('error: metafile')
