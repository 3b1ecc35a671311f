"""Tables that rename parameters, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

_PLACEHOLDER = re.compile(r'\{(\w+?)(?:\+(\d+))?\}')


class Unused(NamedTuple):
    """Names a published parameter that takes no part in the system's computation.

    Attributes:
        name: Template of its name.
        like: Template of a published parameter of the same shape; ``None`` means it is not written back.
        value: Value of every element when it is written back.
    """

    name: str
    like: str | None = None
    value: float = 0.0


@dataclass(frozen=True)
class KeyRules:
    """Maps the parameter names of a published system to those of this package.

    A rule is a pair of templates: the published name and ours. ``{i}`` stands for a number and carries over; ``{i+1}``
    on the published side stands for a number that is 1 higher there. A template that ends in a dot fits the beginning
    of a name, and what follows carries over. The first rule that fits renames.

    Args:
        rules: Pairs of templates.
        unused: Published parameters that take no part in the computation. They are dropped.
        prefixes: Beginnings that published names may have, such as ``'module.'``.
        other_forms: Rules of the system's other checkpoints, such as those after pre-training, where they name the same
            parameters differently. A whole state is renamed by the first form that knows all of its names.

    Example:
        >>> rules = KeyRules((('encoder.blocks.{i}.', 'encoders.video.blocks.{i}.'), ('head.', 'head.fc.')))
        >>> rules.ours('module.encoder.blocks.3.norm1.weight')
        'encoders.video.blocks.3.norm1.weight'
        >>> rules.published('head.fc.bias')
        'head.bias'
    """

    rules: tuple[tuple[str, str], ...]
    unused: tuple[Unused, ...] = ()
    prefixes: tuple[str, ...] = ('module.', '_orig_mod.')
    other_forms: tuple[KeyRules, ...] = ()

    @cached_property
    def _to_ours(self) -> list[Callable[[str], str | None]]:
        return [_renaming(published, ours) for published, ours in self.rules]

    @cached_property
    def _to_published(self) -> list[Callable[[str], str | None]]:
        return [_renaming(ours, published) for published, ours in self.rules]

    def ours(self, name: str) -> str | None:
        """This package's name of a published parameter; ``None`` if the system does not use it.

        Raises:
            KeyError: If no rule knows the name.
        """
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        if any(_pattern(unused.name).match(name) for unused in self.unused):
            return None
        return _first(self._to_ours, name, 'is not a parameter name of the published system')

    def published(self, name: str) -> str:
        """Returns the published name of one of this package's parameters.

        Raises:
            KeyError: If the published system has no such parameter.
        """
        return _first(self._to_published, name, 'has no counterpart in the published system')

    def to_ours(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Renames published weights and drops what the system does not use.

        Raises:
            KeyError: If no rule knows some names. All of them are counted.
        """
        return _rename(state, self._form_of(state, 'ours').ours)

    def to_published(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Renames weights of this package, and adds the parameters that the system has but does not use.

        Raises:
            KeyError: If the published system lacks some names. All of them are counted.
        """
        form = self._form_of(state, 'published')
        renamed = _rename(state, form.published)
        for unused in form.unused:
            if unused.like is not None:
                rename = _renaming(unused.like, unused.name)
                same_shape = {rename(name): weight for name, weight in renamed.items()}
                renamed |= {name: torch.full_like(weight, unused.value) for name, weight in same_shape.items() if name}
        return renamed

    def _form_of(self, names: Iterable[str], direction: str) -> KeyRules:
        """Returns the form that knows all names; this one if none does."""
        known = list(names)
        fitting = (form for form in (self, *self.other_forms) if form._knows(known, direction))
        return next(fitting, self)

    def _knows(self, names: Iterable[str], direction: str) -> bool:
        try:
            for name in names:
                getattr(self, direction)(name)
        except KeyError:
            return False
        return True

    def check(self, model: nn.Module, state: Mapping[str, Tensor]) -> None:
        """Compares renamed weights with a model, which may lie on the ``meta`` device.

        Raises:
            ValueError: If weights are missing from the model or from the file, or have another shape.
        """
        own = model.state_dict()
        problems = {
            'missing in the checkpoint': own.keys() - state.keys(),
            'not in the model': state.keys() - own.keys(),
            'of another shape': {key for key in own.keys() & state.keys() if own[key].shape != state[key].shape},
        }
        found = [f'{len(keys)} {what}, such as {sorted(keys)[:4]}' for what, keys in problems.items() if keys]
        if found:
            raise ValueError('the checkpoint does not fit the model: ' + '; '.join(found))

    def load(self, model: nn.Module, published: Mapping[str, Tensor]) -> None:
        """Loads published weights strictly; errors as in :meth:`to_ours` and :meth:`check`."""
        renamed = self.to_ours(published)
        self.check(model, renamed)
        model.load_state_dict(renamed)


def _rename(state: Mapping[str, Tensor], rename: Callable[[str], str | None]) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    unknown = []
    for name, value in state.items():
        try:
            new = rename(name)
        except KeyError:
            unknown.append(name)
            continue
        if new in renamed:
            raise KeyError(f'two parameters are both called {new!r} after renaming, one of them is {name!r}')
        if new is not None:
            renamed[new] = value
    if unknown:
        raise KeyError(f'{len(unknown)} parameter names that no rule knows, such as {unknown[:5]}')
    return renamed


def _first(renamings: Iterable[Callable[[str], str | None]], name: str, problem: str) -> str:
    for renaming in renamings:
        renamed = renaming(name)
        if renamed is not None:
            return renamed
    raise KeyError(f'{name!r} {problem}')


def _pattern(template: str) -> re.Pattern[str]:
    """Returns the regular expression of a template; the last group is what follows a template that ends in a dot."""
    parts, position = [], 0
    for found in _PLACEHOLDER.finditer(template):
        parts += [re.escape(template[position : found.start()]), rf'(?P<{found[1]}>\d+)']
        position = found.end()
    parts.append(re.escape(template[position:]))
    parts.append('(?P<rest>.*)$' if template.endswith('.') else '(?P<rest>)$')
    return re.compile(''.join(parts))


def _renaming(old: str, new: str) -> Callable[[str], str | None]:
    pattern = _pattern(old)
    shifts = {found[1]: -int(found[2] or 0) for found in _PLACEHOLDER.finditer(old)}
    for found in _PLACEHOLDER.finditer(new):
        shifts[found[1]] = shifts.get(found[1], 0) + int(found[2] or 0)

    def rename(name: str) -> str | None:
        match = pattern.match(name)
        if match is None:
            return None
        numbers = {key: int(value) + shifts[key] for key, value in match.groupdict().items() if key != 'rest'}
        return _PLACEHOLDER.sub(lambda found: str(numbers[found[1]]), new) + match['rest']

    return rename
