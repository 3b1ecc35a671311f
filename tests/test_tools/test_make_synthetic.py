from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_tools.command import last_line, run_tool

SMALL = ('--num-train-actors', 1, '--num-train-takes', 1, '--num-unlabelled-takes', 0, '--num-test-actors', 1)
TOOL = 'dataset_converters/make_synthetic.py'


@pytest.mark.slow
def test_corpus_from_the_command_line_is_made_once(tmp_path: Path) -> None:
    out_dir = tmp_path / 'corpus'
    first = run_tool(TOOL, '--out', out_dir, '--num-test-takes', 1, '--image-size', 32, '--compounds', *SMALL)
    assert first.stdout.count('12/12') == 2  # clips, and those of compound emotions
    assert sorted(path.name for path in out_dir.iterdir()) == [
        'audio', 'compounds', 'corpus.json', 'described_words.txt', 'pretrain.csv', 'test.csv', 'test_described.csv',
        'test_talks.csv', 'test_words.csv', 'train.csv', 'train_described.csv', 'train_talks.csv', 'train_words.csv',
        'video', 'words.txt',
    ]  # fmt: skip
    assert len(list((out_dir / 'video').glob('*.mp4'))) == len(list((out_dir / 'audio').glob('*.wav'))) == 12
    written = {path: path.stat().st_mtime_ns for path in (out_dir / 'video').iterdir()}
    run_tool(TOOL, '--out', out_dir, '--num-test-takes', 1, '--image-size', 32, *SMALL)
    assert {path: path.stat().st_mtime_ns for path in (out_dir / 'video').iterdir()} == written

    other = run_tool(TOOL, '--out', out_dir, '--num-test-takes', 2, '--image-size', 32, *SMALL, check=False)
    assert other.returncode == 1
    assert 'has a corpus of other settings' in last_line(other)
