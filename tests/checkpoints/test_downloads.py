"""Checkpoints from elsewhere are read as safely as local ones."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader, load_from_http

from hicmae_mm.checkpoints import downloads
from hicmae_mm.checkpoints.files import file_sha256, write_checkpoint
from hicmae_mm.checkpoints.loading import read_checkpoint, read_checkpoint_meta
from hicmae_mm.downloads import servers
from hicmae_mm.engine import build_runner
from tests.engine.tiny_run import finetune_config, write_corpus


class Attack:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f'touch {self.witness}',)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server; PyTorch's cache is elsewhere."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '*')
    folder = tmp_path / 'site'
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}', folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_fetched_once_and_compared_with_the_hash_in_the_name(suffix: str, site: tuple[str, Path]) -> None:
    address, folder = site
    plain = folder / f'model{suffix}'
    write_checkpoint(plain, {'w': torch.ones(2)}, {'epoch': 3})
    named = plain.rename(folder / f'model-{file_sha256(plain)[:8]}{suffix}')
    (folder / f'model-00000000{suffix}').write_bytes(named.read_bytes())
    assert torch.equal(read_checkpoint(f'{address}/{named.name}')['state_dict']['w'], torch.ones(2))
    named.unlink()
    assert read_checkpoint_meta(f'{address}/{named.name}') == {'epoch': 3}
    with pytest.raises(ValueError, match=r'not the file that was promised'):
        read_checkpoint(f'{address}/model-00000000{suffix}')
    with pytest.raises(FileNotFoundError, match=r'absent.pth.*cannot be fetched.*404'):
        read_checkpoint(f'{address}/absent.pth')


class FaultyHandler(QuietHandler):
    """Announces more than it sends, and then closes the connection or sends nothing more."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header('Content-Length', '1000')
        self.end_headers()
        self.wfile.write(b'a' * 10)
        self.wfile.flush()
        if 'stall' in self.path:
            self.server.released.wait(20)  # type: ignore[attr-defined]


@pytest.mark.parametrize('name', ['short.pth', 'stall.pth'])
def test_a_server_that_stalls_or_stops_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(servers, 'TIMEOUT_SECONDS', 0.3)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), FaultyHandler)
    server.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(
            FileNotFoundError, match=rf'{name}.*cannot be fetched.*(timed out|IncompleteRead|announced)'
        ):
            read_checkpoint(f'http://127.0.0.1:{server.server_port}/{name}')
    finally:
        server.released.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()
    assert not [path for path in tmp_path.rglob('*') if path.is_file()]


def test_a_file_may_not_be_endless(site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address, folder = site
    (folder / 'large.pth').write_bytes(bytes(100))
    monkeypatch.setattr(downloads, 'MAX_BYTES', 50)
    with pytest.raises(ValueError, match=r'large.pth.*larger than'):
        read_checkpoint(f'{address}/large.pth')
    assert not [path for path in (tmp_path / 'cache').rglob('*') if path.is_file()]


def test_an_attack_from_the_web_does_not_happen(site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    witness = tmp_path / 'witness'
    torch.save({'state_dict': {}, 'evil': Attack(witness)}, folder / 'evil.pth')
    with pytest.raises(ValueError, match=r'evil.pth.*asks for posix.system'):
        read_checkpoint(f'{address}/evil.pth')
    CheckpointLoader.register_scheme(
        'modelhub://', lambda name, map_location: load_from_http(f'{address}/{name[11:]}', map_location), force=True
    )
    (tmp_path / 'cache' / 'hub' / 'checkpoints' / 'evil.pth').unlink()
    with pytest.raises(ValueError, match=r'evil.pth.*cannot|evil.pth.*safely'):
        read_checkpoint('modelhub://evil.pth')
    assert not witness.exists()
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_nor_does_an_attack_named_by_init_cfg(site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    witness, corpus = tmp_path / 'witness', tmp_path / 'corpus'
    torch.save({'state_dict': {}, 'evil': Attack(witness)}, folder / 'evil.pth')
    corpus.mkdir()
    cfg = finetune_config(write_corpus(corpus), tmp_path / 'work', experiment_name='attacked')
    cfg.model.encoders.video.init_cfg = dict(type='Pretrained', checkpoint=f'{address}/evil.pth')
    with pytest.raises(ValueError, match=r'posix.system'):
        build_runner(cfg).train()
    assert (tmp_path / 'cache' / 'hub' / 'checkpoints' / 'evil.pth').is_file()
    assert not witness.exists()
