"""The parts of mails: as the standard library finds them, but in one pass, whatever comes."""

from __future__ import annotations

import email
import io
import random
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from tap_emaillogs.files import mail_headers, mime

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = list[tuple[str, str | None, bytes]]


def found(raw: bytes) -> _Found:
    file = io.BytesIO(raw)
    return [(part.content_type, part.file_name or None, b"".join(part.body(file))) for part in mime.parts(file)]


def as_the_library_finds(raw: bytes) -> _Found:
    whole: _Found = []
    for part in email.message_from_bytes(raw).walk():
        if part.get_content_type() == "message/rfc822":
            whole.append((part.get_content_type(), part.get_filename(), b""))
        elif not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            whole.append((part.get_content_type(), part.get_filename(), content))
    return whole


def any_mail(chance: random.Random, depth: int = 0) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = chance.choice(("plain", "größe ✓ " * 9))
    mail.set_content(
        chance.choice(("hällo\n" * 9, "text\n--not a boundary\n", "")),
        cte=chance.choice(("quoted-printable", "base64")),
    )
    if chance.random() < 0.3:
        mail.add_alternative("<b>hi</b>\n", subtype="html")
    for _ in range(chance.randrange(4)):
        match chance.randrange(3):
            case 0 if depth < 4:
                mail.add_attachment(any_mail(chance, depth + 1))
            case 1:
                name = chance.choice(("a.zip", "größe.zip", "x" * 90 + ".zip"))
                content = chance.randbytes(chance.randrange(3_000))
                mail.add_attachment(content, maintype="application", subtype="zip", filename=name)
            case _:
                mail.add_attachment("a,b\r\n1,2\r\n" * chance.randrange(30), subtype="csv", filename="t.csv")
    return mail


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("seed", range(60))
def test_the_parts_are_those_that_the_library_finds(seed: int, line_end: bytes) -> None:
    raw = any_mail(random.Random(seed)).as_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end)
    assert found(raw) == as_the_library_finds(raw)


@pytest.mark.parametrize("kind", ["multipart", "message", "parts", "header"])
def test_what_no_honest_sender_makes_is_refused(kind: str) -> None:
    raw = {
        "multipart": b"".join(b"Content-Type: multipart/x; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1_000)),
        "message": b"Content-Type: message/rfc822\n\n" * 1_000,
        "parts": b"Content-Type: multipart/x; boundary=b\n\n" + b"--b\n\n" * 1_000,
        "header": b"Subject: " + b"x" * (1 << 20),
    }[kind]
    with pytest.raises(mime.UnreadableMail):
        mime.parts(io.BytesIO(raw))


def test_a_cut_part_is_not_closed() -> None:
    head = b"Content-Type: multipart/x; boundary=b\n\n--b\nContent-Type: text/csv\n\na,b\n1,2\n"
    assert [part.closed for part in mime.parts(io.BytesIO(head))] == [False]
    assert [part.closed for part in mime.parts(io.BytesIO(head + b"--b--\n"))] == [True]
    assert found(head + b"--b--\nepilogue") == [("text/csv", None, b"a,b\n1,2")]


@pytest.mark.parametrize("body", [b"YQ=", b"Y!Q=", b"YWI=YWI=", b"YWJjY", b"Y", b"YQ==x", b"\xff\xfe"])
def test_damaged_base64_is_no_content(body: bytes) -> None:
    raw = b"Content-Transfer-Encoding: base64\n\n" + body
    if body == b"YQ=":  # what fills it up may be too short
        assert found(raw)[0][2] == b"a"
        return
    with pytest.raises(mime.DamagedPart):
        found(raw)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment; filename=a.csv", "a.csv"),
        ("attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.csv", "größe.csv"),
        ("attachment; filename*0*=UTF-8''gr%C3%B6; filename*1=\"sse.csv\"", "grösse.csv"),
        ("attachment; filename==?utf-8?q?gr=C3=B6=C3=9Fe.csv?=", "größe.csv"),
        ("attachment; filename*999999999999999999999=x", None),
        ("attachment; filename*=punycode''a-b", None),
        ("attachment; filename=" + "x" * 5_000, ""),
        ("attachment;" * 400, ""),
    ],
)
def test_names_of_files(value: str, name: str | None) -> None:
    header = email.message_from_string(f"Content-Disposition: {value}\n\n")
    assert name is None or mail_headers.file_name(header) == name


@pytest.mark.parametrize(
    "value", ["=?punycode?q?a-b?=", "=?no-such?q?x?=", "=?utf-8?b?!!!?=", "=?utf-8?q?=ZZ?=", "\udcff"]
)
def test_words_are_read_as_far_as_they_can_be(value: str) -> None:
    assert isinstance(mail_headers.words(value), str)


_LONG: dict[str, Callable[[int], bytes]] = {
    "boundaries": lambda size: b"Content-Type: multipart/x; boundary=b\n\n" + b"\n-- " * (size // 4),
    "blank lines": lambda size: b"Content-Type: multipart/x; boundary=b\n\n" + b"\n" * size,
    "one line": lambda size: b"Content-Type: multipart/x; boundary=b\n\n" + b"-" * size,
    "base64": lambda size: b"Content-Transfer-Encoding: base64\n\n" + b"YWJj\n" * (size // 5),
    "quoted-printable": lambda size: b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=3D=\n" * (size // 5),
    "a header of colons": lambda size: b":" * min(size, 200_000) + b"\n\n",
    "a type of quotes": lambda size: b"Content-Type: text/x" + b';"' * min(size // 2, 100_000) + b"\n\n",
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", _LONG)
def test_the_time_grows_with_the_length(what: str, measured: Callable[[Callable[[int], Any]], float]) -> None:
    assert measured(lambda size: found(_LONG[what](size))) <= 3
