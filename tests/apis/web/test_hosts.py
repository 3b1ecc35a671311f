from __future__ import annotations

import pytest

from hicmae_mm.apis.web.hosts import ANY_ADDRESS, LOCAL_HOSTS, is_allowed_host


@pytest.mark.parametrize(
    ('address', 'is_allowed'),
    [
        ('//localhost:7860', True),
        ('//LOCALHOST', True),
        ('//127.0.0.1', True),
        ('//[::1]:7860', True),
        ('http://localhost:1', True),
        ('//evil.example', False),
        ('//localhost.evil.example', False),
        ('//evil.example:7860@127.0.0.1.nip.io', False),
        ('//192.168.1.5', False),
        ('//', False),
        ('//[', False),
        ('null', False),
    ],
)
def test_this_machine(address: str, is_allowed: bool):
    assert is_allowed_host(address, LOCAL_HOSTS) == is_allowed


def test_every_number_is_no_name():
    assert is_allowed_host('//192.168.1.5:7860', {ANY_ADDRESS})
    assert is_allowed_host('//[fe80::1]', {ANY_ADDRESS})
    assert not is_allowed_host('//evil.example', {ANY_ADDRESS})
    assert not is_allowed_host('//*', {ANY_ADDRESS})
