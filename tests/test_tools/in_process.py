"""Running the command-line tools in this process, which saves seconds of imports, and looking at what they wrote."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.config.paths import configs_root
from hicmae_mm.registry import MODELS
from tests.test_tools.modules import load_tool


def call(tool: str, *arguments: object) -> None:
    """Runs a tool in this process, which saves seconds of imports."""
    assert status_of(tool, *arguments) == 0


def status_of(tool: str, *arguments: object) -> int:
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        return load_tool(tool).main([str(argument) for argument in arguments])


def failure(tool: str, *arguments: object) -> str:
    """The message of a run that must fail, without a traceback."""
    with redirect_stderr(io.StringIO()) as printed:
        assert status_of(tool, *arguments) == 1
    message = printed.getvalue().splitlines()[-1]
    assert message.startswith('error: ')
    return message.removeprefix('error: ')


def picture_size(path: Path) -> tuple[int, int]:
    image = cv2.imread(str(path))
    assert image is not None, f'{path} is no picture'
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50, f'{path} is empty'
    return image.shape[1], image.shape[0]


def write_config(folder: Path, name: str) -> tuple[Path, Path]:
    """A nano config over the noise clips of its folder, and a checkpoint of its untrained model."""
    base = configs_root() / f'{name}.py'
    text = [f"_base_ = ['{base}']"]
    for split in ('train',) if 'pretrain' in name else ('train', 'val', 'test'):
        root = folder / 'videos' if 'pretrain' in name else folder
        source = f"dict(data_root='{root}', ann_file='annotation.txt')"
        text.append(
            f'{split}_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset={source})'
        )
    config = folder / f'small_{name}.py'
    config.write_text('\n'.join(text))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        model = MODELS.build(Config.fromfile(config).model)
    checkpoint = folder / f'{name}.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, checkpoint)
    return config, checkpoint
