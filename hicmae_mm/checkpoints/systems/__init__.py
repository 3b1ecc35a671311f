"""Parameter names of published systems: one table per system, read in both directions."""

from hicmae_mm.checkpoints.systems.key_rules import KeyRules, Unused

__all__ = ['KeyRules', 'Unused', 'rules_of', 'system_names']

# system -> module below this package that holds its KeyRules as ``RULES``
_MODULES: dict[str, str] = {}


def system_names() -> list[str]:
    """The systems whose published files can be converted."""
    return sorted(_MODULES)


def rules_of(system: str) -> KeyRules:
    """The table of a system.

    Raises:
        ValueError: An unknown system.
    """
    from importlib import import_module

    if system not in _MODULES:
        raise ValueError(f'no table of parameter names for the system {system!r}; known are {system_names()}')
    rules: KeyRules = import_module(f'{__name__}.{_MODULES[system]}').RULES
    return rules
