"""The shipped configs as they resolve, one line of JSON each, so that a rewritten file is known to mean the same.

python -m tests.resolved_configs     # after a change that is meant: writes tests/data/resolved_configs.jsonl anew
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from hicmae_mm.config.paths import configs_root

STORED = Path(__file__).parent / 'data' / 'resolved_configs.jsonl'


def config_names() -> list[str]:
    """Paths of all config files below ``configs/``, those that others inherit from included."""
    return sorted(path.relative_to(configs_root()).as_posix() for path in configs_root().rglob('*.py'))


def resolved(path: Path) -> str:
    """One config with everything that it inherits, as a line of JSON with sorted keys."""
    return json.dumps(_plain(Config.fromfile(path).to_dict()), sort_keys=True)


def stored() -> dict[str, str]:
    """Name of each stored config, and its line."""
    lines = STORED.read_text(encoding='utf-8').splitlines()
    return dict(row.split(' ', maxsplit=1) for row in lines)


def _plain(value: Any) -> Any:
    """JSON has no tuples: they become a dictionary, so that a list in place of a tuple is noticed."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return {'tuple': [_plain(item) for item in value]}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def main() -> None:
    """Writes the stored lines."""
    rows = [f'{name} {resolved(configs_root() / name)}' for name in config_names()]
    STORED.write_text('\n'.join(rows) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
