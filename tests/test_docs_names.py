"""Links, anchors, files, modules and options that the prose of README.md and docs/ names exist."""

from __future__ import annotations

import pydoc
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_docs import FENCE, PAGES, ROOT, name_of


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    text = FENCE.sub('', page.read_text(encoding='utf-8'))
    for target in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', text):
        path, _, anchor = (target[0] or target[1]).partition('#')
        if re.match(r'https?://', path):
            continue
        aim = page.parent / path if path else page
        assert aim.exists(), path
        if anchor and aim.suffix == '.md':
            assert anchor in anchors_of(aim), f'{path}#{anchor}'


@cache
def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub and MyST give the headings of a page."""
    headings = re.findall(r'^#+ (.+)$', FENCE.sub('', page.read_text(encoding='utf-8')), re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_prose_names_only_what_exists(page: Path) -> None:
    text = FENCE.sub('', page.read_text(encoding='utf-8'))
    for path in re.findall(
        r'`((?:hicmae_mm|tools|tests|configs|docs|demo|benchmarks)/[\w./-]+\.(?:py|sh|md|yml))`', text
    ):
        assert (ROOT / path).is_file() or 'NAME' in path, path
    for name in re.findall(r'`(hicmae_mm(?:\.\w+)+)`', text):
        assert pydoc.locate(name) is not None, name
    unknown = set(re.findall(r'`[^`\n]*?(--[a-z][a-z-]+)', text)) - flags_of_tools()
    assert not unknown, f'no tool has {sorted(unknown)}'


@cache
def flags_of_tools() -> set[str]:
    sources = [path for folder in ('tools', 'demo', 'benchmarks', 'hicmae_mm') for path in (ROOT / folder).rglob('*')]
    text = ''.join(path.read_text(encoding='utf-8') for path in sources if path.suffix in ('.py', '.sh'))
    return set(re.findall(r"""['" ](--[a-z][a-z-]+)""", text)) | {
        '--help',
        '--logdir',
    }  # of argparse and of tensorboard
