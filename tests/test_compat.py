from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.config import config as module

from hicmae_mm.compat import patch_third_party


def test_a_config_is_formatted_once() -> None:
    patch_third_party()
    formatter = module.FormatCode
    patch_third_party()
    assert module.FormatCode is formatter
    before = formatter._format.cache_info()
    cfg = Config(dict(model=dict(type='Anything', width=3), seed=0))
    text = cfg.pretty_text
    assert text == "model = dict(type='Anything', width=3)\nseed = 0\n"
    assert Config(cfg.to_dict()).pretty_text == text
    after = formatter._format.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 1)
    cfg.model.width = 4
    assert 'width=4' in cfg.pretty_text


@pytest.mark.parametrize('content', ['', 'def apply_chunking_to_forward(): ...\n'], ids=['new', 'old'])
def test_mmaction_is_imported_beside_any_transformers(tmp_path: Path, content: str) -> None:
    folder = tmp_path / 'transformers'
    folder.mkdir()
    (folder / '__init__.py').write_text('')
    (folder / 'modeling_utils.py').write_text(content)
    code = (
        'import sys; from hicmae_mm.compat import patch_third_party; patch_third_party(); '
        "print('mmaction.models.multimodal.vindlu' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, '-c', code], env={'PYTHONPATH': f'{tmp_path}:{Path.cwd()}'}, capture_output=True, text=True
    )
    assert (found.stdout.strip(), found.stderr) == (str(not content), '')
