"""Letters on a terminal: everything is there, nothing is obeyed."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from funnelwatch.agents.dlq import showing
from funnelwatch.agents.dlq.letter import Letter, Position

AT = 1_795_000_000_000_000


def letter(offset: int = 1, at: int = AT, *, key=b"d1", value=b"{}", reason=b"bad_time", detail=b"", own=()) -> Letter:
    headers = (*own, ("dlq_reason", reason), ("dlq_detail", detail), ("dlq_topic", b"crm.deals"))
    return Letter(Position(0, offset), at, key, value, headers)


def shown(one: Letter) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    showing.show(one, console)
    return console.file.getvalue()


def tabled(*letters: Letter) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(showing.table_of([showing.line_of(one) for one in letters]))
    return console.file.getvalue()


def obeyed(text: str) -> set[str]:
    """The characters a terminal would act on, or hide; a line's end is ours."""
    return {one for one in text if not one.isprintable() and one not in "\n\u200c\u200d"}


@given(st.text())
def test_an_escaped_text_has_nothing_to_obey(text):
    assert obeyed(showing.escaped(text)) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\tc\n", "a\\x0db\\x09c\\x0a"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\u202eevil", "\\u202eevil"),
        ("\U000e0041", "\\U000e0041"),
        ("فروش می\u200cشود", "فروش می\u200cشود"),
        ("plain é 漢", "plain é 漢"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, expected):
    assert showing.escaped(text) == expected


@given(
    st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20), st.text(max_size=8), st.binary(max_size=9)
)
def test_a_whole_letter_and_its_line_have_nothing_to_obey(value, key, detail, name, content):
    one = letter(value=value, key=key, detail=detail, reason=detail, own=[(name, content)])

    assert obeyed(shown(one)) == set()
    assert obeyed(tabled(one)) == set()
    listing = showing.Listing(1)
    listing.add(one)
    assert obeyed(listing.ending) == set()
    assert all(" " <= character <= "~" for character in showing.json_line(showing.line_of(one)))


def test_markup_of_others_is_text():
    assert "[red]d1[/red] :smile:" in tabled(letter(key=b"[red]d1[/red] :smile:"))
    assert "[bold]x" in shown(letter(value=b"[bold]x"))


def test_utf_8_is_shown_as_text_with_its_lines():
    assert showing.value_text('{"name":\n"سارا"}'.encode()) == '{"name":\n"سارا"}'


def test_other_bytes_are_dumped_in_hex():
    assert showing.value_text(b"\xff{0123456789abcdefgh").split("\n") == [
        "00000000  ff 7b 30 31 32 33 34 35 36 37 38 39 61 62 63 64  .{0123456789abcd",
        "00000010  65 66 67 68                                      efgh",
    ]


@pytest.mark.parametrize("value", [b"x" * 70_000, b"\xff" * 70_000, "é".encode() * 35_000])
def test_of_very_many_bytes_the_first_are_shown(value):
    text = showing.value_text(value)

    assert text.endswith("70,000 bytes in all: --raw writes them.")
    assert len(text) < 5 * showing.SHOWN_BYTES_MAX


def test_a_letter_is_shown_whole():
    text = shown(letter(detail=b"no time", own=[("ce_id", b"7"), ("ce_source", None)]))

    for part in (
        "letter       0:1",
        "reason       bad_time",
        "detail       no time",
        "key          d1",
        "header ce_id",
        "{}",
    ):
        assert part in text


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "COOKIE", "kafka.password", "hub-signature", "Token"])
def test_a_header_that_sounds_like_a_secret_is_not_shown(name):
    text = shown(letter(own=[(name, b"hunter2")]))

    assert "hunter2" not in text
    assert "7 bytes, hidden" in text


def test_a_tombstone_is_called_one():
    assert "tombstone" in shown(letter(value=None))


def test_the_newest_letters_are_kept_newest_last_and_all_are_counted():
    listing = showing.Listing(3)
    for number in (5, 1, 9, 3, 7):
        listing.add(letter(number, AT + number, reason=b"empty" if number == 1 else b"bad_time"))

    assert [line.offset for line in listing.lines] == [5, 7, 9]
    assert listing.ending == "5 letters (bad_time 4, empty 1), the newest 3 shown."


def test_invented_reasons_do_not_fill_the_memory():
    listing = showing.Listing(1)
    for number in range(showing.REASONS_MAX + 50):
        listing.add(letter(number, reason=b"r%d" % number))

    assert len(listing.counts) == showing.REASONS_MAX + 1
    assert listing.counts["(other)"] == 50


def test_no_letters_are_a_sentence():
    assert showing.Listing(1).ending == "0 letters, the newest 0 shown."


def test_a_json_line_has_what_a_program_needs():
    assert json.loads(showing.json_line(showing.line_of(letter(detail=b"no time", value=b"\xff\x00")))) == {
        "partition": 0,
        "offset": 1,
        "time": "2026-11-18T11:06:40Z",
        "reason": "bad_time",
        "detail": "no time",
        "topic": "crm.deals",
        "key": "d1",
        "size": 2,
    }


def test_a_giant_key_is_shortened():
    key = showing.line_of(letter(key=b"k" * 100_000)).key

    assert (len(key), key[-1]) == (showing.KEY_CHARS_MAX, "…")
