"""``vis_reconstruction.py`` on an untrained pre-trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_tools.in_process import call, failure, picture_size

pytestmark = pytest.mark.usefixtures('elsewhere')


def test_reconstructions(tmp_path: Path, pretrainer: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    call('visualization/vis_reconstruction.py', *pretrainer, '--out', 'made', '--num-clips', 2)
    assert [path.name for path in sorted((tmp_path / 'made').iterdir())] == ['clip_0.mp4.png', 'clip_2.mp4.png']
    assert capsys.readouterr().out.count('wrote') == 2
    assert picture_size(tmp_path / 'made/clip_0.mp4.png')[0] == 1200


def test_reconstruction_names_what_is_wrong(pretrainer: tuple[Path, Path], recognizer: tuple[Path, Path]) -> None:
    tool = 'visualization/vis_reconstruction.py'
    assert failure(tool, pretrainer[0], 'no.pth') == "checkpoint 'no.pth' does not exist"
    assert 'expected the config of an AudioVisualPretrainer' in failure(tool, *recognizer)
    assert 'does not fill this model' in failure(tool, pretrainer[0], recognizer[1])
