"""Ctrl-C, a full disk and a folder without write access end every long tool in one line, and a rerun works."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.datasets.writers import write_video
from tests.apis.conftest import write_model
from tests.engine.tiny_run import finetune_config, write_corpus
from tests.hostile.processes import Trap, run_program

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """A tool and the moment of the accident.

    Attributes:
        tool: Program below the repository.
        arguments: Its command line; ``{clips}`` is the folder of the corpus, config and weights.
        at: Text in the path of the file that is being opened for writing at that moment.
        skip: Number of these files that are opened before.
        kinds: What is tried. The reruns of the longest tools have tests of their own.
    """

    tool: str
    arguments: str
    at: str
    skip: int = 0
    kinds: tuple[str, ...] = ('interrupt', 'rerun', 'full', 'read-only')


LONG = ('interrupt', 'full', 'read-only')
MODEL = '{clips}/tiny.py {clips}/tiny.safetensors'
CASES = {
    'train': Case('tools/train.py', '{clips}/tiny.py --work-dir o', 'o/epoch_1'),
    'train-scalars': Case('tools/train.py', '{clips}/tiny.py --work-dir o', 'scalars.json', kinds=('full',)),
    'test': Case('tools/test.py', f'{MODEL} --work-dir o --out o/o.json', 'o/o.json'),
    'test-log': Case('tools/test.py', f'{MODEL} --work-dir o --out o/o.pkl', '.log', kinds=('full',)),
    'kfold': Case(
        'tools/kfold.py', '{clips}/folds.py --folds 1-2 --work-dir o', 'steps/', 1, ('interrupt', 'full', 'read-only')
    ),
    'pseudo_label': Case(
        'tools/pseudo_label.py',
        '{clips}/tiny.py --unlabelled {clips}/test.txt --checkpoint {clips}/tiny.safetensors --work-dir o --threshold '
        '0.1',
        'o/',
        2,
        LONG,
    ),
    'extract_features': Case('tools/extract_features.py', f'{MODEL} --out o --part-size 4 --num-workers 0', 'o/', 2),
    'cache_encoders': Case(
        'tools/cache_encoders.py',
        f'{MODEL} --out o --part-size 4 --num-workers 0 --no-augmentation --cfg-options model.frozen=[encoders]',
        'o/',
        2,
    ),
    'make_synthetic': Case(
        'tools/dataset_converters/make_synthetic.py',
        '--out o --num-train-actors 2 --num-test-actors 2 --num-train-takes 1 --num-test-takes 1 '
        '--num-unlabelled-takes 1 --image-size 32 --num-workers 1',
        'o/',
        5,
    ),
    'extract_audio': Case(
        'tools/dataset_converters/extract_audio.py', '{clips}/loud --out-dir o --num-workers 0', 'o/', 3
    ),
    'extract_faces': Case(
        'tools/dataset_converters/extract_faces.py',
        '{clips}/loud --out-dir o --num-workers 0 --allow-failures --cropper WholeFrame',
        'o/',
        3,
    ),
    'make_shards': Case(
        'tools/dataset_converters/make_shards.py',
        '{clips}/clips.txt --data-root {clips} --out-dir o --num-workers 0',
        'o/',
        2,
    ),
    'ravdess': Case('tools/dataset_converters/ravdess.py', '{clips}/ravdess --out-dir o --no-check-media', 'o/', 1),
    'verify_dataset': Case(
        'tools/misc/verify_dataset.py', '{clips}/clips.txt --data-root {clips} --out clean.txt --num-workers 0', 'clean'
    ),
    'export': Case('tools/export.py', f'{MODEL} --out o --format torch-export', 'o/'),
    'vis_tsne': Case('tools/visualization/vis_tsne.py', f'{MODEL} --out o/o.png', 'o/o'),
    'vis_attention': Case('tools/visualization/vis_attention.py', f'{MODEL} --out o --save-maps', 'o/'),
    'vis_layers': Case('tools/visualization/vis_layers.py', f'{MODEL} --out o/o.png', 'o/o'),
    'publish_model': Case('tools/model_converters/publish_model.py', '{clips}/tiny.safetensors o/o.pth', 'o/o'),
    'mm_to_hicmae': Case('tools/model_converters/mm_to_hicmae.py', '{clips}/tiny.safetensors o/o.pth', 'o/o'),
    'robustness': Case(
        'tools/analysis_tools/robustness.py', f'{MODEL} --out-dir o --degradations blur --levels 2', 'o/', 2
    ),
    'analyze_results': Case(
        'tools/analysis_tools/analyze_results.py', '{clips}/tiny.py {clips}/o.json --out-dir o', 'o/'
    ),
    'confusion_matrix': Case(
        'tools/analysis_tools/confusion_matrix.py', '{clips}/tiny.py {clips}/o.json --show-path o/o.png', 'o/'
    ),
    'demo': Case(
        'demo/emotion_demo.py', '{clips}/loud/0.mp4 --model {clips}/tiny.safetensors --face-cropper none --out o', 'o/'
    ),
}


@pytest.fixture(scope='session')
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with a config and weights."""
    folder = write_corpus(tmp_path_factory.mktemp('clips'))
    cfg = finetune_config(folder, Path())
    cfg.pop('work_dir')
    cfg.param_scheduler[0].warmup = 0
    cfg.train_cfg.max_epochs = 1
    cfg.model.data_preprocessor.pop('batch_augment')
    cfg.test_dataloader.dataset.pipeline.insert(-1, dict(type='SpatialViews', num_views=1, size=32))
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        write_model(Config(cfg.to_dict()), folder / 'tiny.safetensors')
    cfg.dump(folder / 'tiny.py')
    folds = ''.join(
        f"{part}_dataloader = dict(dataset=dict(ann_file='{list_}{{{{$FOLD:1}}}}.txt'))\n"
        for part, list_ in (('train', 'train'), ('val', 'test'), ('test', 'test'))
    )
    (folder / 'folds.py').write_text(f"_base_ = ['tiny.py']\n{folds}")
    lines = (folder / 'clips.txt').read_text().splitlines(keepends=True)
    for fold, tested in ((1, lines[:8]), (2, lines[8:16])):
        (folder / f'test{fold}.txt').write_text(''.join(tested))
        (folder / f'train{fold}.txt').write_text(''.join(line for line in lines[:16] if line not in tested))
    (folder / 'ravdess').mkdir()
    (folder / 'loud').mkdir()
    for number in range(4):
        write_video(folder / 'loud' / f'{number}.mp4', np.zeros((6, 32, 32, 3), np.uint8), 12, np.full(8000, 0.1))
    arguments = [folder / 'tiny.py', folder / 'tiny.safetensors', '--out', 'o.json', '--out-item', 'pred']
    assert run_program('tools/test.py', [*arguments, '--work-dir', 'work'], folder).status == 0
    return folder


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_one_line_and_a_rerun(case: Case, clips: Path, tmp_path: Path) -> None:
    arguments = case.arguments.format(clips=clips).split()

    def run(name: str, trap: Trap | None) -> tuple[int, str]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        ended = run_program(case.tool, arguments, folder, trap)
        if trap is None:
            return ended.status, ended.error
        assert not [*folder.rglob('*.partial')]
        assert '.partial' not in ended.message
        return ended.status, ended.message

    if 'interrupt' in case.kinds:
        status, message = run('interrupted', Trap('interrupt', case.at, case.skip))
        assert (status, message.partition(';')[0]) == (130, 'error: interrupted')
    if 'rerun' in case.kinds:
        status, message = run('interrupted', None)
        assert status == 0, message
    if 'full' in case.kinds:
        status, message = run('full', Trap('full', case.at, case.skip))
        assert status == 1
        assert re.fullmatch(r'error: \S+: .*File too large.*', message)
    if 'read-only' in case.kinds:
        status, message = run('closed', Trap('read-only', ''))
        assert status == 1
        assert re.fullmatch(r'error: \S+: Permission denied \(check its owner and its mode\)', message)
