"""Where a share may lie that so many of so many gave."""

from __future__ import annotations

import math

_Z, _TAIL = 1.959963984540054, 0.025


def highest(part: int, whole: int) -> float:
    """Return the upper bound of the exact 95 % interval (Clopper and Pearson) of `part` of `whole`, one or more.

    As the macro `clopper_pearson` of the dbt project has it, with the same approximation (Pratt 1968).
    """
    if part == whole:
        return 1.0
    if part == 0:
        return 1 - math.pow(_TAIL, 1 / whole)
    if part == whole - 1:
        return math.pow(1 - _TAIL, 1 / whole)
    more, rest, z2 = part + 1, whole - part, _Z * _Z
    root = 3 * _Z * math.sqrt(9 * more * rest * (9 * whole + 5 - z2) + whole + 1)
    cubed = (81 * more * rest - 9 * whole - 8 - root) / (81 * more * more - 9 * (2 + z2) * more + 1)
    return 1 / (1 + (more / rest) ** 2 * cubed**3)


def lowest(part: int, whole: int) -> float:
    """Return the lower bound, likewise."""
    return 1 - highest(whole - part, whole)
