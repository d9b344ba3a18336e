"""Deliveries that went wrong on the way, or were made to: seeded mutations of real ones."""

from __future__ import annotations

import json
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

from funnelwatch.schemas.sources.contract import Delivery

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 10**30, -(10**400), 1e308, 0.1, -0.0),
    *(
        "",
        " ",
        "0",
        "-1",
        "null",
        "None",
        "NaN",
        "1e999",
        "9" * 5_000,
        "۱۲۳",
        "\x00",
        "\ud800",
        "é" * 300,
        "a" * 70_000,
    ),
    *(
        "2026-02-30",
        "2026-11-27T10:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59.999999-23:59",
        "1404-08-30",
    ),
    *("2026-03-29 02:30:00", "Fri, 31 Feb 2026 10:00:00 +0000", "1700000000", "99999999999999999999", "12:34:56"),
    *("<script>", "' OR 1=1 --", "../../etc/passwd", "\u202e1234", "%00%ff", "+", "++98", "client:", "sip:;", "x:"),
    *([], {}, [[]], [None], {"": None}, {"id": {"id": {}}}, ["a"] * 2_000),
)
TOKENS: tuple[bytes, ...] = (
    *(b"null", b"{}", b"[]", b'"', b"\\", b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"1e999", b"NaN", b"-"),
    *(
        b"[" * 200,
        b'{"a":' * 80,
        b"&",
        b"=",
        b"%",
        b"%zz",
        b"+",
        b";",
        b"\r\n\r\n",
        b":",
        b",",
        b"eyJ",
        b".",
        b"Event: ",
    ),
)
METHODS = ("POST", "GET", "PUT", "OPTIONS")
MEDIA = (
    *("application/json", "application/x-www-form-urlencoded", "text/plain", "", "APPLICATION/JSON; charset=utf-16"),
    *("application/cloudevents+json", "application/cloudevents-batch+json", "multipart/form-data", "\u0130/\xdf"),
)


def mangled(delivery: Delivery, random: Random) -> Delivery:
    """The delivery with one to four things changed."""
    body, headers, url, method = delivery.body, dict(delivery.headers), delivery.url, delivery.method
    for _ in range(random.randint(1, 4)):
        match random.randrange(12):
            case 0:
                headers["content-type"] = random.choice(MEDIA)
            case 1:
                method = random.choice(METHODS)
            case 2:
                url = f"{url}{random.choice('?&#:/')}{_text(random)}"
            case 3 if headers:
                headers[random.choice(sorted(headers))] = _text(random)
            case 4 | 5:
                body = _bytes(body, random)
            case _:
                body = _structured(body, random)
    return Delivery(method=method, url=url, headers=headers, body=body[: 1 << 20], received_us=delivery.received_us)


def _text(random: Random) -> str:
    return str(random.choice(ODD))[:10_000]


def _bytes(body: bytes, random: Random) -> bytes:
    begin = random.randint(0, len(body))
    end = min(len(body), begin + random.choice((0, 1, 1, 2, 8, 64, 4_096)))
    match random.randrange(4):
        case 0:
            middle = bytes(byte ^ (1 << random.randrange(8)) for byte in body[begin:end])
        case 1:
            middle = b""
        case 2:
            middle = body[begin:end] * random.choice((2, 3, 50))
        case _:
            middle = random.choice(TOKENS)
    return body[:begin] + middle + body[end:]


def _structured(body: bytes, random: Random) -> bytes:
    """A JSON value or a form's field put in place of another; something of the bytes if the body is neither."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _form(body, random) if b"=" in body and b"&" in body else _bytes(body, random)
    return json.dumps(_changed(document, random), ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")


def _changed(document: Any, random: Random) -> Any:
    places = list(_places(document))
    if not places or random.random() < 0.02:
        return random.choice(ODD)
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0:
            del holder[key]
        case 1:
            other, name = random.choice(places)
            holder[key] = json.loads(json.dumps(other[name]))
        case 2:
            holder[key] = [holder[key]] * random.choice((0, 1, 3))
        case 3 if isinstance(holder[key], int | float | bool):
            holder[key] = str(holder[key])
        case 4 if isinstance(holder[key], str):
            holder[key] = holder[key][: random.randint(0, 10)] + _text(random)[:100]
        case _:
            holder[key] = random.choice(ODD)
    return document


def _places(document: Any) -> Any:
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            waiting.append(holder[key])


def _form(body: bytes, random: Random) -> bytes:
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
    if not pairs:
        return _bytes(body, random)
    place = random.randrange(len(pairs))
    name, value = pairs[place]
    match random.randrange(4):
        case 0:
            pairs.pop(place)
        case 1:
            pairs.append((name, _text(random)))
        case 2:
            pairs[place] = (_text(random)[:50], value)
        case _:
            pairs[place] = (name, _text(random))
    return urlencode(pairs, errors="surrogatepass").encode()
