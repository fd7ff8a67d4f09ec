"""Realistic people, subjects and times, the same for a seed: what the vendors' rows are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from sandbox.base.times import DAY, HOUR, SECOND

if TYPE_CHECKING:
    import random

GIVEN = (
    *("Anna", "Jörg", "Zoë", "Nguyễn", "Олег", "愛子", "Seán", "María-José", "Łukasz"),
    *("Björk", "Ali", "O'Neil", "李雷"),
)
FAMILY = ("Weber", "Núñez", "Smith", "Østergård", "Иванов", "佐藤", "Brontë", "d'Arc", "Groß", "Çelik", "Kowalska")
DOMAINS = (
    *("gmail.com", "outlook.com", "example.com", "example.org", "mail.example.co.uk", "t-online.example"),
    *("xn--mnchen-3ya.example", "bücher.example", "почта.example", "例え.example", "UPPER.Example"),
)
SUBJECTS = (
    *("Your invoice", "Welcome 🎉", "Passwort zurücksetzen", "Re: café, naïve & <b>bold</b>", 'He said "hi", twice'),
    *("ご注文の確認", "Счёт на оплату", "", "Weekly digest\u2028part two", "50% off; today only", "=formula(1)"),
)
SENDERS = ("billing@shop.example", "no-reply@shop.example", "news@xn--mnchen-3ya.example", "Support@Shop.Example")
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Apple Mail/16.0",
    "Thunderbird 128 ✉",
)
COUNTRIES = ("DE", "US", "NZ", "VN", "UA", "JP")
LINKS = ("https://shop.example/a?x=1&y=ü", "https://shop.example/unsubscribe", "https://shop.example/b#top")
HARD = "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 https://support.example/?p=NoSuchUser"
SOFT = "452-4.2.2 The email account that you tried to reach is\n452 4.2.2 over quota: später"
DEFERRED = "421 4.7.0 Try again later, closing connection."
OK = "250 2.0.0 OK  1707717247 n13-20020a05622a040d00b0042bf4b5caf6si7967427qtx.480 - gsmtp"


class Person(NamedTuple):
    """A recipient."""

    name: str
    address: str

    @property
    def full(self) -> str:
        """The address with its display name, quoted where the name needs it."""
        return (
            f'"{self.name}" <{self.address}>'
            if "'" in self.name or "." in self.name
            else f"{self.name} <{self.address}>"
        )


def people(rng: random.Random, count: int = 200) -> list[Person]:
    """Return recipients with names and domains of many scripts; addresses differ."""
    drawn = ((rng.choice(GIVEN), rng.choice(FAMILY), rng.choice(DOMAINS)) for _ in range(count))
    return [
        Person(f"{given} {family}", f"{('user', 'First.Last', 'tag+x', 'ö')[i % 4]}{i}@{domain}")
        for i, (given, family, domain) in enumerate(drawn)
    ]


def moments(rng: random.Random, count: int, start_ms: int, end_ms: int, *, step: int = SECOND) -> list[int]:
    """Return `count` sorted times in [start, end): busy by day, slow by night, and with crowds.

    Every fifth time shares the one before's step, so that window edges fall between rows of the same step; times are
    multiples of `step` milliseconds.
    """
    span = end_ms - start_ms
    if count <= 0 or span < step:
        return []
    times: list[int] = []
    while len(times) < count:
        if times and rng.random() < 0.2:
            times.append(times[-1])
            continue
        at = start_ms + int(rng.random() * span)
        if rng.random() > 0.55 + 0.45 * math.sin((at % DAY) / DAY * 2 * math.pi - math.pi / 2):
            continue
        at -= at % step
        times.append(at if at >= start_ms else at + step)
    return sorted(times)


def skewed(rng: random.Random, mean_ms: int = HOUR) -> int:
    """Return a waiting time: mostly short, sometimes long."""
    return int(rng.expovariate(1 / mean_ms))
