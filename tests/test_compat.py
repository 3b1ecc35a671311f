from __future__ import annotations

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
