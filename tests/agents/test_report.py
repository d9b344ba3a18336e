"""The report command's reading, accounting and answer."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from support.story import instant

from funnelwatch.agents import report
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import Settings


@pytest.fixture(autouse=True)
def _in_april(monkeypatch):
    monkeypatch.setattr(report, "now_us", lambda: instant("2026-04-10 12:00"))


def cloud_event(number, event_type="deal.won", time="2026-03-02T09:00:00Z", subject="d1", **data):
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "crm",
        "type": event_type,
        "subject": subject,
        "time": time,
        "data": {"rep_id": "ann", **data},
    }


def written(path, *lines):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def run(capsys, *files, clock="event"):
    output = io.BytesIO()
    code = report.run(Settings(), files, clock, output)
    answer = json.loads(output.getvalue()) if output.getvalue() else None
    return code, answer, capsys.readouterr().err


def test_lines_and_batches_of_plain_and_gzipped_files_are_one_history(tmp_path, capsys):
    first = written(tmp_path / "a.ndjson", cloud_event(1, amount="10.5"), "", [cloud_event(2, subject="d2", amount=1)])
    second = written(tmp_path / "b.ndjson.gz", cloud_event(3, "deal.lost", subject="d3"))
    code, answer, summary = run(capsys, first, second)

    assert code == 0
    assert answer["reps"]["ann"]["sales"]["mtd"] == {
        "won": 2, "lost": 1, "won_amount": {"EUR": "11.5"}, "lost_amount": {"EUR": "0"},
    }  # fmt: skip
    assert answer["organisation"]["as_of"] == "2026-03-02T09:00:00+00:00"
    assert summary == "3 events read: 3 applied, 0 unchanged, 0 refused.\n"


def test_every_event_read_is_applied_unchanged_or_refused(tmp_path, capsys):
    path = written(
        tmp_path / "a.ndjson",
        cloud_event(1),
        cloud_event(1),
        cloud_event(2, "deal.exploded"),
        "not json",
        [cloud_event(3, "rep.upserted", subject="ann"), {**cloud_event(4), "time": "yesterday"}],
    )
    code, answer, summary = run(capsys, path)

    assert code == 0
    assert list(answer["reps"]) == ["ann"]
    assert summary.endswith(
        "6 events read: 2 applied, 1 unchanged, 3 refused (bad_time 1, unknown_type 1, unreadable_json 1).\n"
    )
    assert f"{path}:4: unreadable_json" in summary


def test_a_clock_judges_as_it_would_have_been_judged_then(tmp_path, capsys):
    path = written(tmp_path / "a.ndjson", cloud_event(1), cloud_event(2, time="2026-04-02T09:00:00Z", subject="d2"))
    _, answer, summary = run(capsys, path, clock="2026-03-03T00:00:00Z")

    assert answer["organisation"]["sales"]["mtd"]["won"] == 1
    assert "refused (in_the_future 1)" in summary


def test_a_clock_that_is_none_says_what_is_one(tmp_path, capsys):
    with pytest.raises(OperationError, match="say system, event, or an instant"):
        run(capsys, written(tmp_path / "a.ndjson"), clock="noon")


def test_what_stands_before_a_damage_is_reported(tmp_path, capsys):
    path = written(tmp_path / "a.ndjson.gz", *(cloud_event(n, subject=f"d{n}") for n in range(5_000)))
    path.write_bytes(path.read_bytes()[:-3_000])
    code, answer, summary = run(capsys, path, tmp_path / "absent.ndjson")

    assert code == 0
    assert 0 < answer["organisation"]["sales"]["mtd"]["won"] < 5_000
    assert "what was read before that is counted" in summary
    assert "absent.ndjson" in summary


def test_nothing_read_is_a_failure(tmp_path, capsys):
    code, answer, summary = run(capsys, tmp_path / "absent.ndjson")

    assert (code, answer) == (1, None)
    assert "nothing to report" in summary


def test_standard_input_is_a_file_too(monkeypatch, capsys):
    text = gzip.compress(json.dumps(cloud_event(1)).encode())
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(text)))
    monkeypatch.setattr("sys.stdin", stdin)

    assert run(capsys, "-")[0] == 0


def test_an_endless_line_is_refused_and_the_next_one_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(report, "LINE_BYTES_MAX", 400)
    path = written(tmp_path / "a.ndjson", "x" * 1_000, cloud_event(1))
    _, _, summary = run(capsys, path)

    assert summary.endswith("2 events read: 1 applied, 0 unchanged, 1 refused (too_large 1).\n")


def test_what_is_far_ahead_of_the_system_clock_does_not_become_now(tmp_path, capsys):
    path = written(tmp_path / "a.ndjson", cloud_event(1), cloud_event(2, time="2062-04-02T09:00:00Z"))
    _, answer, summary = run(capsys, path, clock="event")

    assert answer["organisation"]["as_of"] == "2026-03-02T09:00:00+00:00"
    assert "refused (in_the_future 1)" in summary
