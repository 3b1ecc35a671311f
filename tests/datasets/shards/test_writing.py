from __future__ import annotations

import json
from pathlib import Path

import pytest
import webdataset

from hicmae_mm.datasets.shards.packing import ClipPacker, read_list
from hicmae_mm.datasets.shards.writing import PackingPlan, write_shards
from tests.conftest import MediaFolder
from tests.datasets.shards.packed import pack


def _folder(media: MediaFolder, num_clips: int = 7) -> Path:
    """A list of that many clips of three frames, numbered by label."""
    for number in range(num_clips):
        media.frame_folder(f'face{number}', num_frames=3, height=16, width=16)
        media.wav(f'{number}.wav', media.tone(0.1, hz=100 * (number + 1)))
    media.annotation(*(f'face{number} {number}.wav {number}' for number in range(num_clips)))
    return media.root


def _plan(root: Path, **options) -> PackingPlan:
    clips, metainfo = read_list(root / 'ann.csv', root)
    defaults = dict(samples_per_shard=3)
    return PackingPlan(clips, ClipPacker(), ('video', 'audio'), metainfo, **(defaults | options))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob('*') if path.name != '.lock'}


def _labels(folder: Path) -> list[str]:
    labels = []
    for shard in sorted(folder.glob('*.tar')):
        dataset = webdataset.WebDataset(str(shard), shardshuffle=False, empty_check=False)
        labels += [json.loads(sample['json'])['label'][0] for sample in dataset]
    return labels


def test_webdataset_reads_what_was_written(media: MediaFolder) -> None:
    out_dir = pack(_folder(media) / 'ann.csv', media.root / 'out', samples_per_shard=3, seed=None, audio_format='flac')
    assert _labels(out_dir) == list('0123456')
    first = next(iter(webdataset.WebDataset(str(out_dir / 'shard-000001.tar'), shardshuffle=False)))
    assert first['__key__'] == '000001-000000'
    meta = json.loads(first['json'])
    assert (meta['sample_id'], meta['position'], meta['label']) == ('face3', 'line 4', ['3'])
    assert first['sound.flac'][:4] == b'fLaC'
    assert first['video.jpgs'][:2] == b'\xff\xd8'
    assert len(first['video.jpgs']) == meta['video']['offsets'][-1]


def test_index_and_report_count(media: MediaFolder) -> None:
    out_dir = pack(_folder(media) / 'ann.csv', media.root / 'out', samples_per_shard=3)
    index = json.loads((out_dir / 'index.json').read_text())
    assert [shard['name'] for shard in index['shards']] == [f'shard-{number:06d}.tar' for number in range(3)]
    assert [shard['num_samples'] for shard in index['shards']] == [3, 3, 1]
    assert index['settings']['quality'] == 90
    report = json.loads((out_dir / 'report.json').read_text())
    assert (report['num_listed'], report['num_packed'], report['num_broken']) == (7, 7, 0)


def test_clips_are_shuffled_by_the_seed(media: MediaFolder) -> None:
    root = _folder(media)
    orders = [_labels(pack(root / 'ann.csv', media.root / str(seed), 3, seed=seed)) for seed in (0, 1)]
    assert orders[0] != orders[1]
    assert all(sorted(order) == list('0123456') != order for order in orders)


def test_broken_clips_are_left_out_and_reported(media: MediaFolder) -> None:
    root = _folder(media)
    (root / '1.wav').write_bytes(b'no sound')
    for number in (3, 4, 5):  # a whole shard
        (root / f'{number}.wav').unlink()
    out_dir = pack(root / 'ann.csv', media.root / 'out', 3, seed=None)
    assert _labels(out_dir) == ['0', '2', '6']
    index = json.loads((out_dir / 'index.json').read_text())
    assert [shard['num_samples'] for shard in index['shards']] == [2, 0, 1]
    report = json.loads((out_dir / 'report.json').read_text())
    assert (report['num_listed'], report['num_packed'], report['num_broken']) == (7, 3, 4)
    found = [(entry['position'], entry['sample_id'], entry['kind']) for entry in report['broken']]
    assert found == [('line 2', 'face1', 'broken')] + [(f'line {n + 1}', f'face{n}', 'missing') for n in (3, 4, 5)]
    assert '1.wav' in report['broken'][0]['reason']
    for wav in root.glob('*.wav'):
        wav.unlink()
    with pytest.raises(ValueError, match=r'none of 7 clips could be packed, see .*report\.json'):
        pack(root / 'ann.csv', media.root / 'nothing')
    assert not (media.root / 'nothing' / 'index.json').exists()


def test_interrupted_run_is_continued_with_the_same_bytes(media: MediaFolder) -> None:
    root = _folder(media)
    (root / '2.wav').unlink()
    whole, broken_off = pack(root / 'ann.csv', media.root / 'whole', 3), media.root / 'off'
    for num_steps in (1, 4, 6):  # in the first shard, in the second, between the second and the third
        run = write_shards(_plan(root), broken_off)
        for _ in range(num_steps):
            next(run)
        run.close()
        assert not (broken_off / 'index.json').exists()
    kept = {path: path.stat().st_mtime_ns for path in broken_off.glob('*.tar')}
    assert len(kept) == 2
    with (broken_off / 'journal.jsonl').open('a') as journal:
        journal.write('{"number": 2, "offs')  # killed while it wrote
    (broken_off / 'shard-000002.tar.999999999-0123456789abcdef.partial').write_bytes(b'half')
    pack(root / 'ann.csv', broken_off, 3)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert _bytes(broken_off) == _bytes(whole)


def test_shard_without_its_journal_line_is_written_again(media: MediaFolder) -> None:
    root = _folder(media)
    out_dir = pack(root / 'ann.csv', media.root / 'out', 3)
    expected = _bytes(out_dir)
    lines = (out_dir / 'journal.jsonl').read_text().splitlines(keepends=True)
    (out_dir / 'journal.jsonl').write_text(''.join(lines[:2]))
    (out_dir / 'shard-000000.tar').unlink()
    (out_dir / 'shard-000002.tar').write_bytes(b'something else')
    run = write_shards(_plan(root), out_dir)
    next(run)
    run.close()
    assert not (out_dir / 'index.json').exists()
    pack(root / 'ann.csv', out_dir, 3)
    found = _bytes(out_dir)
    found['journal.jsonl'] = b''.join(sorted(found['journal.jsonl'].splitlines(keepends=True), key=lambda x: x[:12]))
    assert found == expected


def test_other_settings_or_lists_are_refused(media: MediaFolder) -> None:
    root = _folder(media)
    out_dir = pack(root / 'ann.csv', media.root / 'out', 3)
    with pytest.raises(ValueError, match=r'shards of other settings \(quality: 90 there, 50 asked for\)'):
        pack(root / 'ann.csv', out_dir, 3, quality=50)
    media.annotation('face0 0.wav 0')
    with pytest.raises(ValueError, match=r'num_listed: 7 there, 1 asked for'):
        pack(root / 'ann.csv', out_dir, 3)
    list(write_shards(_plan(root), out_dir, force=True))
    assert [path.name for path in sorted(out_dir.glob('*.tar'))] == ['shard-000000.tar']
    assert _labels(out_dir) == ['0']
    (out_dir / 'settings.json').unlink()
    with pytest.raises(ValueError, match=r'has shards, but no settings\.json'):
        pack(root / 'ann.csv', out_dir, 3)


def test_two_runs_do_not_write_to_one_folder(media: MediaFolder) -> None:
    root = _folder(media)
    run = write_shards(_plan(root), media.root / 'out')
    next(run)
    with pytest.raises(RuntimeError, match='another process holds'):
        next(write_shards(_plan(root), media.root / 'out'))
    run.close()


def test_shards_of_a_size(media: MediaFolder) -> None:
    root = _folder(media)
    sizes = json.loads((pack(root / 'ann.csv', media.root / 'out') / 'index.json').read_text())['shards'][0]['offsets']
    per_clip = sizes[-1] / 6 / 2**20
    plan = _plan(root, samples_per_shard=None, shard_megabytes=2.9 * per_clip)
    list(write_shards(plan, media.root / 'sized'))
    report = json.loads((media.root / 'sized' / 'report.json').read_text())
    assert report['clips_per_shard'] in (2, 3, 4)
    assert report['num_shards'] == -(-7 // report['clips_per_shard'])
    for options in (dict(samples_per_shard=3, shard_megabytes=1), dict(samples_per_shard=0)):
        with pytest.raises(ValueError, match='one of samples_per_shard and shard_megabytes'):
            _plan(root, **options)
