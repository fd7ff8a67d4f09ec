"""Every regular expression of the package takes linear time, whatever a vendor, a mail or a file puts before it.

They are found, not listed: compiled ones in modules, classes and containers, patterns of error tables and schemas, and
those that a call of `re` names. Texts are made for each from its own letters and loops: long runs of one letter or of a
group, with and without what the pattern begins and ends with.
"""

from __future__ import annotations

import ast
import functools
import heapq
import importlib
import inspect
import itertools
import json
import pkgutil
import re
from collections import defaultdict, deque
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import tap_emaillogs
from tap_emaillogs.http.client import ApiClient
from tap_emaillogs.http.errors import ErrorRule
from tap_emaillogs.http.redaction import Redactor
from tap_emaillogs.tap import TapEmailLogs
from timing import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_FOLDER = Path(tap_emaillogs.__file__).parent
_SIZE = 4_000
"""Characters of a text: enough that twice as many cost a quadratic pattern milliseconds more."""
_FAST = 0.5e-6
"""Seconds for a character that are no matter: a quadratic pattern needs more for one of so many."""
_SUSPECTS = 12
"""So many texts of each pattern are looked at more closely."""
_MUCH = 0.005
"""Seconds that are worth to be measured again; no linear pattern needs them for so few characters."""
_MOST_GROWTH = 2.5
"""When a text doubles."""
_ALL = ("search", "match", "fullmatch", "finditer")
_USED = {"search": "search", "match": "match", "fullmatch": "fullmatch"}
"""How a pattern is used, by the method that is called; all others try it everywhere."""


class Found(NamedTuple):
    """A pattern, where it stands, and how it is used."""

    where: str
    pattern: re.Pattern[str]
    ways: tuple[str, ...]


# Finding them.


def modules() -> Iterator[Any]:
    for info in pkgutil.walk_packages(tap_emaillogs.__path__, f"{tap_emaillogs.__name__}."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def compiled(value: Any, depth: int = 3) -> Iterator[re.Pattern[str]]:
    """Yield the patterns in a value: itself, in containers, in an error table, or in a class of the package."""
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, ErrorRule):
        yield re.compile(value.pattern, re.IGNORECASE)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from compiled(item, depth - 1)
    elif depth and isinstance(value, dict):
        yield from compiled([*value, *value.values()], depth)
    elif depth and inspect.isclass(value) and value.__module__.startswith(tap_emaillogs.__name__):
        yield from compiled([*vars(value).values()], depth - 1)
    elif depth and type(value).__module__.startswith(tap_emaillogs.__name__):
        held = vars(value) if hasattr(value, "__dict__") else {}
        yield from compiled([*held.values()], depth - 1)


def ways_of(name: str, trees: Iterable[ast.AST]) -> tuple[str, ...]:
    """Return how a pattern of that name is used; in all ways where that cannot be seen."""
    ways = set()
    for tree in trees:
        called = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(tree):
            named = isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
            if named or (isinstance(node, ast.Attribute) and node.attr == name):
                if id(node) not in called:
                    return _ALL
                ways.add(_USED.get(called[id(node)], "finditer"))
    return tuple(sorted(ways)) or _ALL


def called(tree: ast.AST) -> Iterator[tuple[int, str, re.Pattern[str]]]:
    """Yield (line, method, pattern) of calls such as `re.sub("…", …)`."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr != "compile"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(node) else 0
            yield node.lineno, node.func.attr, re.compile(str(node.args[0].value), flags)


def of_schemas() -> Iterator[tuple[str, re.Pattern[str]]]:
    def inside(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                yield value["pattern"]
            for item in value.values():
                yield from inside(item)
        elif isinstance(value, list):
            for item in value:
                yield from inside(item)

    for path in sorted(_FOLDER.rglob("*.json")):
        for pattern in inside(json.loads(path.read_text("utf-8"))):
            yield path.name, re.compile(pattern)
    for pattern in inside(TapEmailLogs.config_jsonschema):
        yield "configuration", re.compile(pattern)


@functools.cache
def all_patterns() -> tuple[Found, ...]:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(_FOLDER.rglob("*.py"))}
    found: dict[tuple[str, int], Found] = {}
    for module in modules():
        for name, value in vars(module).items():
            for pattern in compiled(value):
                own = [trees[Path(module.__file__)]] if name.startswith("_") else [*trees.values()]
                ways = ways_of(name, own) if value is pattern else _ALL
                found.setdefault((pattern.pattern, pattern.flags), Found(f"{module.__name__}.{name}", pattern, ways))
    for path, tree in trees.items():
        for line, method, pattern in called(tree):
            where = f"{path.relative_to(_FOLDER)}:{line}"
            found.setdefault((pattern.pattern, pattern.flags), Found(where, pattern, (_USED.get(method, "finditer"),)))
    for where, pattern in of_schemas():
        found.setdefault((pattern.pattern, pattern.flags), Found(where, pattern, ("fullmatch",)))
    redact = Redactor(schemes=["App"])
    found["token", 0] = Found("the redactor's tokens", redact._token, ("finditer",))
    return tuple(found.values())


# Making texts for them.

_OF_CATEGORY = {
    sre.CATEGORY_DIGIT: "7",
    sre.CATEGORY_NOT_DIGIT: "a",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_SPACE: "a",
    sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_WORD: "-",
}
_USUAL = "aA7 \t\n\r.-_@<>\"'\\()[]{}:;,=/%&#+"


def letters_of(items: Any) -> set[str]:
    """Return a letter for each that a set of a pattern names."""
    found, negated = set(), False
    for kind, value in items:
        if kind is sre.NEGATE:
            negated = True
        elif kind is sre.LITERAL:
            found.add(chr(value))
        elif kind is sre.RANGE:
            found |= {chr(value[0]), chr(value[1])}
        elif kind is sre.CATEGORY:
            found.add(_OF_CATEGORY.get(value, "a"))
    return {one for one in _USUAL if one not in found} if negated else found


class Maker:
    """Makes texts that nearly match: one walk through a parsed pattern, with one of its loops gone round very often."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._tree = sre_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
        self.letters: set[str] = set()
        self.loops: list[int] = []
        self._often, self._times, self._choice = 0, 0, 0
        self._groups: dict[int, str] = {}
        self._walk(self._tree)

    def text(self, loop: int, times: int, choice: int) -> str:
        """Return a text that goes round one loop `times` times; `choice` picks letters and branches."""
        self._often, self._times, self._choice, self._groups = loop, times, choice, {}
        return self._walk(self._tree)

    def _pick(self, options: Iterable[str]) -> str:
        among = sorted(options)
        return among[self._choice % len(among)] if among else ""

    def _walk(self, tree: Any) -> str:  # noqa: PLR0912, C901 - one case for each kind of node
        parts = []
        for kind, value in tree:
            if kind is sre.LITERAL:
                self.letters.add(chr(value))
                parts.append(chr(value))
            elif kind is sre.NOT_LITERAL:
                parts.append(self._pick({*_USUAL} - {chr(value)}))
            elif kind is sre.ANY:
                parts.append("a")
            elif kind is sre.IN:
                found = letters_of(value)
                self.letters |= found if len(found) < 20 else set()
                parts.append(self._pick(found))
            elif kind is sre.BRANCH:
                made = [self._walk(one) for one in value[1]]
                parts.append(made[self._choice % len(made)])
            elif kind is sre.SUBPATTERN:
                made_group = self._walk(value[3])
                if value[0] is not None:
                    self._groups[value[0]] = made_group
                parts.append(made_group)
            elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
                least, most, inner = value
                made_inner = self._walk(inner)
                number = id(value)
                if most is sre.MAXREPEAT or most > 8:
                    if number not in self.loops:
                        self.loops.append(number)
                    times = self._times if number == self._often else max(least, 1)
                    parts.append(made_inner * (times if most is sre.MAXREPEAT else min(times, most)))
                else:
                    parts.append(made_inner * max(least, 1))
            elif kind is sre.ATOMIC_GROUP:
                parts.append(self._walk(value))
            elif kind is sre.GROUPREF:
                parts.append(self._groups.get(value, ""))
            elif kind in (sre.ASSERT, sre.ASSERT_NOT):
                parts.append(self._walk(value[1]) if kind is sre.ASSERT and value[0] > 0 else "")
        return "".join(parts)


def texts(pattern: re.Pattern[str]) -> Iterator[Callable[[int], str]]:
    """Yield what makes a text of about so many characters, made to be hard for a pattern."""
    maker = Maker(pattern)
    letters = sorted({*maker.letters} | {*'a \n7"<@.:=-\\%'})
    for one in letters:
        yield lambda size, one=one: one * size  # type: ignore[misc]
        yield lambda size, one=one: one * size + "\0"  # type: ignore[misc]
    for one, two in itertools.permutations(sorted(maker.letters)[:9] or ["a"], 2):
        yield lambda size, one=one, two=two: (one + two) * (size // 2) + "\0"  # type: ignore[misc]
    for loop in maker.loops:
        for choice in range(4):
            unit = max(1, len(maker.text(loop, 2, choice)) - len(maker.text(loop, 1, choice)))
            for end in ("\0", " ", ""):
                yield (
                    lambda size, m=maker, loop=loop, c=choice, u=unit, e=end: (  # type: ignore[misc]
                        m.text(loop, size // u, c)[:size] + e
                    )
                )
            once = maker.text(loop, 3, choice)
            for cut in {once, once[:-1], once[: len(once) // 2]} - {""}:
                yield lambda size, cut=cut: (cut * (size // len(cut) + 1))[:size] + "\0"  # type: ignore[misc]


# Measuring.


def spent(pattern: re.Pattern[str], way: str, text: str, tries: int = 1) -> float:
    """Return the seconds that a pattern needs, by the best of some tries."""
    method = getattr(pattern, way)
    return cpu_seconds(lambda: deque(method(text), maxlen=0) if way == "finditer" else method(text), tries)


class Suspect(NamedTuple):
    """A text that a pattern takes long for."""

    seconds: float
    """For each character."""
    size: int
    way: str
    make: Callable[[int], str]


def suspects(found: Found) -> list[Suspect]:
    """Return the texts that cost most, if any cost much."""
    costly = []
    for make in texts(found.pattern):
        for way in found.ways:
            for size in (
                _SIZE // 16,
                _SIZE // 4,
                _SIZE,
            ):  # what is cubic shows early; it would take minutes of the last
                took = spent(found.pattern, way, make(size))
                if took > _MUCH:
                    break
            if took > _FAST * size:
                costly.append(Suspect(took / size, size, way, make))
    return heapq.nlargest(_SUSPECTS, costly, key=lambda one: one.seconds)


def slow(found: Found) -> str:
    """Say how a pattern is slow, and with what text; empty: it is not."""
    for _, size, way, make in suspects(found):
        growth = []
        for _ in range(4):  # a busy machine is slow, not wrong
            small, large = (spent(found.pattern, way, make(length), 3) for length in (size, 2 * size))
            growth.append(large / small)
            if growth[-1] <= _MOST_GROWTH:
                break
        else:
            return f"{way} of {make(60)[:60]!r}: {min(growth):.1f} times as long when the text doubles"
    return ""


@pytest.mark.thorough
@pytest.mark.parametrize("found", all_patterns(), ids=lambda found: found.where)
def test_every_pattern_takes_linear_time(found: Found) -> None:
    said = slow(found)
    assert not said, f"{found.where}, {found.pattern.pattern!r}: {said}"


def test_patterns_are_found() -> None:
    known = [found.pattern.pattern for found in all_patterns()]
    assert len(known) > 50
    for part in ("(?:@|%40)", "date range exceeds", "Bearer", r"[\s_-]+", "hard[ _-]?bounce"):
        assert any(part in one for one in known), part


@pytest.mark.thorough
@pytest.mark.parametrize("pattern", [r"[,;\s]\s*\d", r"<[^>]*>x", r'"(?:[^"\\]|\\.)*"x', r"\d+\.\d+x"])
def test_patterns_that_are_slow_are_caught(pattern: str) -> None:
    assert slow(Found("", re.compile(pattern), ("search",)))


# What a vendor says of an error, whole.

WORDS: dict[str, str] = {
    "letters": "a",
    "quotes": '"',
    "ats": "@",
    "addresses": "a@b.c ",
    "halves of addresses": "a@(",
    "encoded ats": "a%40",
    "quoted names": '"a" ',
    "a scheme and blanks": "Bearer    ",
    "schemes": "Bearer ",
    "brackets": "a@[",
    "escapes": "\x1b[31m",
    "half characters": "\ud83d",
    "secrets cut short": "secret-0123456789",
    "backslashes": "\\",
    "line breaks": "\r\n",
    "percent signs": "%",
    "numbers": "1.",
    "escaped letters": "%61",
    "entities": "&#97;",
    "JSON's escapes": "\\u0061",
    "packed addresses": "YUBiLmNk",
    "packed ats": "QEBA",
    "lines of base64": "QGE\n",
    "hex": "40",
    "hex with blanks": "40 ",
}


@pytest.mark.parametrize("words", WORDS)
def test_a_vendors_words_of_a_megabyte_are_quoted_at_once(words: str) -> None:
    redact = Redactor([f"secret-0123456789-{number}" for number in range(20)])
    text = (WORDS[words] * 1_000_000)[:1_000_000]
    found: list[str] = []
    assert cpu_seconds(lambda: found.append(ApiClient.quote(_Quoting(redact), text))) < 0.5  # type: ignore[arg-type]
    (quoted,) = found
    assert len(quoted) <= 301
    quoted.encode()


class _Quoting:
    """As much of a client as quoting needs."""

    def __init__(self, redact: Redactor) -> None:
        self.redact = redact


@pytest.mark.parametrize("words", WORDS)
def test_the_log_is_redacted_in_linear_time(words: str) -> None:
    redact = Redactor([f"secret-0123456789-{number}" for number in range(20)])
    took: defaultdict[int, float] = defaultdict(lambda: float("inf"))
    for size in (20_000, 40_000) * 5:
        text = (WORDS[words] * size)[:size]
        took[size] = min(took[size], cpu_seconds(lambda text=text: redact(text)))
    assert took[40_000] < _MOST_GROWTH * took[20_000] + 0.005
