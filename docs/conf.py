"""Sphinx builds the Markdown of this folder, which also reads well where it lies, and a reference of the package.

python -m sphinx -W --keep-going -b html docs docs/_build/html

Two things are made here, so that the pages need no directives:

* the navigation, of the lists of links under the headings of index.md: a page that none of them links is a warning;
* a page of the reference per package, ``api/generated/``, of the docstrings.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
from pathlib import Path

from pygments.formatters import HtmlFormatter
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))
os.environ['CUDA_VISIBLE_DEVICES'] = ''  # importing is all that happens here

import hicmae_mm  # noqa: E402

project = 'hicmae_mm'
author = 'The hicmae_mm contributors'
copyright = f'2026, {author}'
release = version = hicmae_mm.__version__
language = 'en'

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build', 'figures']
source_suffix = {'.md': 'markdown', '.rst': 'restructuredtext'}
myst_heading_anchors = 4  # links to headings are spelt as on GitHub

autodoc_mock_imports = ['gradio']  # takes seconds to import, and documents nothing
autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints_format = 'short'
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # the fields of named tuples are documented once
napoleon_custom_sections = [
    ('Attributes that the models read', 'params_style'),
    ('Attributes that the models read to fit the other components', 'params_style'),
]
toc_object_entries = False

html_theme = 'alabaster'
html_title = f'hicmae_mm {release}'
html_static_path = ['_static']  # its custom.css gives the colours below their values, for light and dark
html_css_files = [('pygments_dark.css', {'media': '(prefers-color-scheme: dark)'})]
html_show_sourcelink = False
html_sidebars = {'**': ['about.html', 'searchfield.html', 'navigation.html']}
pygments_style = 'friendly'
PYGMENTS_DARK = 'github-dark'
html_theme_options = {
    'description': 'audio-visual emotion recognition on MMEngine',
    'fixed_sidebar': True,
    'github_button': False,
    'show_powered_by': False,
    'show_relbar_bottom': True,
    'sidebar_collapse': True,
    'body_max_width': '960px',
    'page_width': '900px',  # narrower windows get one column; wider ones more, by custom.css
    'sidebar_width': '270px',
    'font_family': "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    'font_size': '16px',
    'code_font_size': '0.88em',
    **dict.fromkeys(('base_bg', 'body_bg', 'narrow_sidebar_bg'), 'var(--page)'),
    **dict.fromkeys(
        ('base_text', 'body_text', 'code_text', 'sidebar_text', 'sidebar_header', 'sidebar_list'), 'var(--text)'
    ),
    **dict.fromkeys(('narrow_sidebar_fg', 'anchor_hover_fg'), 'var(--text)'),
    **dict.fromkeys(('link', 'sidebar_link', 'narrow_sidebar_link'), 'var(--link)'),
    **dict.fromkeys(('hr_border', 'table_border', 'relbar_border', 'sidebar_hr', 'gray_3'), 'var(--line)'),
    **dict.fromkeys(('code_bg', 'pre_bg', 'gray_2', 'xref_bg', 'highlight_bg', 'footnote_bg'), 'var(--soft)'),
    **dict.fromkeys(('sidebar_search_button', 'anchor_hover_bg', 'code_hover'), 'var(--soft)'),
    'xref_border': 'var(--soft)',
    'sidebar_link_underscore': 'transparent',
    'link_hover': 'var(--strong)',
    'footer_text': 'var(--faint)',
    'anchor': 'var(--line)',
    'viewcode_target_bg': 'var(--mark)',
    'code_highlight': 'var(--mark)',
}

README_LINK = re.compile(r'\]\(((?:\.\./)+README\.md)(?:#[^)]*)?\)')
LIST_OF_LINKS = re.compile(r'^\* \[(?P<title>[^\]]+)\]\((?P<page>[^)#]+)\.md\)', re.M)


def navigation(text: str) -> str:
    """Returns a hidden table of contents for each ``##`` heading of a page: the list items that begin with a link."""
    parts = []
    for section in re.split(r'^## ', text, flags=re.M)[1:]:
        caption = section.partition('\n')[0].strip()
        pages = [f'{match["title"]} <{match["page"]}>' for match in LIST_OF_LINKS.finditer(section)]
        if pages:
            parts.append('\n'.join(['```{toctree}', ':hidden:', f':caption: {caption}', '', *pages, '```']))
    return '\n\n' + '\n\n'.join(parts) + '\n'


def complete_page(_: Sphinx, docname: str, source: list[str]) -> None:
    """Gives the pages that hold what stands elsewhere their text, and index.md its navigation."""
    source[0] = README_LINK.sub(r'](path:\1)', source[0])  # no page of these, but a file to look at
    if docname == 'changelog':
        source[0] = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    elif docname == 'index':
        source[0] += navigation(source[0])
    elif docname == 'api/index':
        source[0] += '\n\n```{toctree}\n:hidden:\n:glob:\n\ngenerated/*\n```\n'


def public_modules(package: str) -> list[str]:
    """Modules of a package, without its sub-packages, by name."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__, f'{package}.')
    return [module.name for module in found if not module.ispkg and not module.name.rpartition('.')[2].startswith('_')]


def reference_page(package: str) -> str:
    """Returns the reStructuredText page of a package: its docstring, then its modules."""
    title = package.replace('_', r'\_')
    lines = [title, '=' * len(title), '', f'.. automodule:: {package}', '   :no-members:', '']
    for module in public_modules(package):
        name = module.removeprefix(f'{package}.').replace('_', r'\_')
        lines += [name, '-' * len(name), '', f'.. automodule:: {module}', '']
        importlib.import_module(module)  # here once, rather than in every process that reads pages
    return '\n'.join(lines)


def write_reference(_: Sphinx) -> None:
    """Writes a page per package; one that is up to date is left alone, so that it is not built again."""
    folder = DOCS / 'api' / 'generated'
    folder.mkdir(parents=True, exist_ok=True)
    with mock(autodoc_mock_imports):
        found = pkgutil.walk_packages(hicmae_mm.__path__, 'hicmae_mm.')
        pages = {name: reference_page(name) for name in ('hicmae_mm', *(m.name for m in found if m.ispkg))}
    for outdated in set(folder.glob('*.rst')) - {folder / f'{name}.rst' for name in pages}:
        outdated.unlink()
    for package, text in pages.items():
        path = folder / f'{package}.rst'
        if not path.is_file() or path.read_text(encoding='utf-8') != text:
            path.write_text(text, encoding='utf-8')


def write_dark_colours(app: Sphinx, error: Exception | None) -> None:
    """Code for readers who prefer dark pages, which the theme has no option for."""
    if error is None and app.builder.format == 'html':
        css = HtmlFormatter(style=PYGMENTS_DARK).get_style_defs('.highlight')
        (Path(app.outdir) / '_static' / 'pygments_dark.css').write_text(css, encoding='utf-8')


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the above to the build."""
    app.connect('builder-inited', write_reference)
    app.connect('source-read', complete_page)
    app.connect('build-finished', write_dark_colours)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
