"""Parameter names of published systems: one table per system, read in both directions."""

from hicmae_mm.checkpoints.systems.key_rules import KeyRules, Unused

__all__ = ['KeyRules', 'Unused', 'rules_of', 'system_names']

# system -> module below this package that holds its KeyRules, and their name there (RULES, if none is given)
_MODULES: dict[str, str] = {
    'abaw6': 'abaw6',
    'avf_mae': 'avf_mae',
    'emotion2vec': 'emotion2vec',
    's4d': 's4d',
    'svfap': 'svfap',
    'emt_dlfr': 'emt_dlfr',
    'mae_dfer': 'mae_dfer',
    'mer2023': 'mer:ATTENTION_2023',
    'mer2023_mlp': 'mer:MLP_2023',
    'mer2024': 'mer:ATTENTION_2024',
    'mer2024_frames': 'mer:FRAMES_2024',
    'mma_dfer': 'mma_dfer',
}


def system_names() -> list[str]:
    """Returns the systems whose published files can be converted."""
    return sorted(_MODULES)


def rules_of(system: str) -> KeyRules:
    """Returns the table of a system.

    Raises:
        ValueError: If the system is unknown.
    """
    from importlib import import_module

    if system not in _MODULES:
        raise ValueError(f'no table of parameter names for the system {system!r}; known are {system_names()}')
    module, _, name = _MODULES[system].partition(':')
    rules: KeyRules = getattr(import_module(f'{__name__}.{module}'), name or 'RULES')
    return rules
