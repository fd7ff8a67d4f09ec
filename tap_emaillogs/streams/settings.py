"""Settings: each is declared once, with its type, default, bounds and meaning.

Schema, documentation and checks follow from the declaration, and the code reads attributes that always have a value.
Where several places name a value the last one wins: what is common to all vendors, the vendor's defaults, the stream's,
the user's provider object, the user's account.
"""

from __future__ import annotations

import inspect
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import MISSING, Field, dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any, Self, TypedDict

from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.http.client import Auth

_OPTION = "option"
_DECLARED: dict[type[Options], Mapping[str, Declared]] = {}


@dataclass(frozen=True)
class Option:
    """What is declared of a setting beside its type and default; see `option`."""

    description: str = ""
    kind: Any = None
    secret: bool = False
    in_header: bool = False
    allowed: tuple[Any, ...] = ()
    positive: bool = False
    most: int | None = None
    cases: Mapping[tuple[str, Any], Any] = field(default_factory=dict)


def option(  # noqa: PLR0913 - all that can be declared, all but two named
    default: Any,
    description: str = "",
    *,
    kind: Any = None,
    secret: bool = False,
    in_header: bool = False,
    allowed: tuple[Any, ...] = (),
    positive: bool = False,
    most: int | None = None,
    cases: Mapping[tuple[str, Any], Any] | None = None,
) -> Any:
    """Declare a setting, in the place of its default.

    `page_size: int = option(100, "Rows asked for in one request.", positive=True)`. A subclass that declares it again
    gives what differs; another default alone needs no `option`: `page_size: int = 500`.

    Args:
        default: Its value where nobody names one.
        description: What it means, without its default.
        kind: Its JSON schema type, where the annotation does not say it all.
        secret: Whether it is hidden wherever it would be shown.
        in_header: Whether it is sent in an HTTP header.
        allowed: All values that it may have; of a list, each of its items.
        positive: Whether 0 is too little.
        most: The largest value.
        cases: Other defaults, by (another setting, its value).
    """
    about = Option(description, kind, secret, in_header, allowed, positive, most, cases or {})
    more: dict[str, Any] = {"metadata": {_OPTION: about}, "repr": not secret}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), **more)
    return field(default=default, **more)


@dataclass(frozen=True)
class Declared:
    """A setting as all classes together declare it."""

    name: str
    """As the user writes it."""
    attribute: str
    """As the code reads it: with an underscore behind it where the name is one of Python's words."""
    type: Any
    default: Any
    option: Option
    described_by: type[Options]
    """The class that gave the description."""


def declared(kind: type[Options]) -> Mapping[str, Declared]:
    """Return the settings of a class by name, those of its bases first.

    Raises:
        TypeError: One has no default.
    """
    if kind not in _DECLARED:
        _DECLARED[kind] = _collected(kind)
    return _DECLARED[kind]


def _collected(kind: type[Options]) -> Mapping[str, Declared]:
    hints = typing.get_type_hints(kind)
    found: dict[str, Declared] = {}
    for part in reversed(kind.__mro__):
        fields: Mapping[str, Field[Any]] = vars(part).get("__dataclass_fields__", {})
        for attribute in inspect.get_annotations(part):
            if attribute not in fields or not issubclass(part, Options):
                continue
            name, own = attribute.rstrip("_"), fields[attribute]
            before = found.get(name)
            given: Option | None = own.metadata.get(_OPTION)
            default = own.default if own.default_factory is MISSING else own.default_factory()
            if default is MISSING:
                raise TypeError(f"{part.__name__}.{attribute} has no default: every setting needs one")
            anew = before is None or (given is not None and given.description)
            if anew:  # it stands where it is described
                found.pop(name, None)
            found[name] = Declared(
                name,
                attribute,
                _not_none(hints[attribute]),
                default,
                _laid_over(before.option if before else Option(), given),
                part if anew or before is None else before.described_by,
            )
    return found


def _not_none(hint: Any) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in typing.get_args(hint) else hint


def _laid_over(base: Option, over: Option | None) -> Option:
    unset = vars(Option())
    named = {name: value for name, value in vars(over or base).items() if value != unset[name]}
    return Option(**{**vars(base), **named})


@dataclass(frozen=True, kw_only=True)
class Options:
    """An object of settings, frozen, each with its own type."""

    @classmethod
    def of(cls, *layers: Mapping[str, Any]) -> Self:
        """Build it from values by name, in layers of which the last one wins; None counts as left out."""
        known = declared(cls)
        values = {name: value for layer in layers for name, value in layer.items() if value is not None}
        for one in known.values():
            for (other, wanted), default in one.option.cases.items():
                if values.get(other, known[other].default) == wanted:
                    values.setdefault(one.name, default)
        return cls(**{known[name].attribute: _built(known[name].type, value) for name, value in values.items()})

    def items(self) -> Iterable[tuple[Declared, Any]]:
        """Yield each setting's declaration and value."""
        return ((one, getattr(self, one.attribute)) for one in declared(type(self)).values())


def _built(kind: Any, value: Any) -> Any:
    return kind.of(value) if isinstance(kind, type) and issubclass(kind, Options) else value


class StreamDefaults(TypedDict, total=False):
    """What a stream may have other defaults for than its vendor has."""

    history_days: float
    lookback_minutes: float
    revisit_minutes: Sequence[float]
    settle_minutes: float
    window_hours: float
    page_size: int


@dataclass(frozen=True, kw_only=True)
class Settings(Options, ABC):
    """The settings of one account; a vendor's own class adds its keys, its defaults and what follows from them."""

    base_url: str = option("", "The API root, with its scheme.")
    allow_http: bool = option(False, "As above, for this provider or account.")
    account: str = option("default", "Label of this account in every record.")
    start_date: str | None = option(None, "As above, for this provider or account.", kind=th.DateTimeType)
    history_days: float | None = option(None, "Days that the vendor keeps its log.", positive=True)
    lookback_minutes: float = option(60, "Each run starts so far before its bookmark.")
    revisit_minutes: Sequence[float] = option(
        (1440,), "Every stretch of time is read once more when it reaches each of these ages."
    )
    settle_minutes: float = option(5, "Windows end so long before now.")
    window_hours: float = option(8760, "The largest window asked for at once.", positive=True)
    page_size: int = option(100, "Rows asked for in one request.", positive=True)
    requests_per_minute: float = option(60, "Request budget of the account, as the vendor publishes it; 0: no limit.")
    max_concurrency: int = option(2, "Windows of the account read at the same time.", positive=True, most=64)
    filters: Mapping[str, Any] = option({})
    columns: Mapping[str, Sequence[str]] = option({})
    reference: Mapping[str, Sequence[str]] = option({})

    def api_root(self) -> str:
        """Return the address that all paths are below."""
        return self.base_url

    @abstractmethod
    def auth(self) -> Auth:
        """Return how the account proves who it is."""

    def mistakes(self) -> Iterable[tuple[str, str]]:
        """Yield (key, what is wrong with it) for mistakes that no single declaration shows."""
        return ()

    def streams_off(self) -> tuple[str, ...]:
        """Return the names of the streams that an account with these settings cannot read."""
        return ()
