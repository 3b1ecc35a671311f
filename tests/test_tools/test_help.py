"""Every tool explains itself."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from hicmae_mm.config.paths import tools_root

TOOLS = sorted(tools_root().rglob('*.py'))


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.relative_to(tools_root()).as_posix())
def test_tool_answers_help(tool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, 'argv', [str(tool), '--help'])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tool), run_name='__main__')
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert printed.startswith('usage:')
    assert 'show this help message' in printed


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.relative_to(tools_root()).as_posix())
def test_tool_opens_with_its_launch_line(tool: Path) -> None:
    name = tool.relative_to(tools_root())
    launch_lines = f'python tools/{name.as_posix()}', f'bash tools/{name.with_suffix(".sh").as_posix()}'
    assert any(line in tool.read_text().split('"""')[1] for line in launch_lines)
