"""The command line: exit codes as documented, help that teaches, errors without a traceback."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from funnelwatch.agents import check, cli
from funnelwatch.agents.embedded import free_ports
from funnelwatch.streams import compiled


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli._outcome(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def event(number: int, type_: str = "deal.created", **more) -> dict:
    return {"specversion": "1.0", "id": f"e{number}", "source": "/t", "type": type_, "subject": f"d{number}", **more}


@pytest.fixture
def files(tmp_path):
    """Two files, four readable events and three lines that are none."""
    plain = tmp_path / "plain.ndjson"
    lines = [json.dumps(event(1)), "", "{nope", json.dumps(event(2, "deal.sold")), json.dumps([event(3), event(4)])]
    plain.write_text("\n".join(lines) + "\n")
    packed = tmp_path / "packed.ndjson.gz"
    packed.write_bytes(gzip.compress(json.dumps(event(5, "call.completed", subject=7)).encode() + b"\n[1]\n"))
    return str(plain), str(packed)


@pytest.mark.parametrize("command", sorted(cli.funnelwatch.commands))
def test_every_command_explains_itself_with_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")

    assert code == 0
    assert "Example" in out
    assert f"funnelwatch {command}" in out.split("Example")[1]


def test_help_loads_no_server_client():
    script = (
        "import sys\nfrom funnelwatch.agents import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('faust', 'aiokafka', 'redis', 'aiohttp', 'rich') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert out.splitlines()[-1] == "[]"


def test_a_wrong_command_line_exits_with_2(capsys):
    code, _, err = run(capsys, "replay")

    assert code == 2
    assert "FILES" in err


def test_a_wrong_configuration_exits_with_2(capsys, tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[kafka]\npartitions = "four"\n')
    code, _, err = run(capsys, "check", "--config", str(wrong))

    assert code == 2
    assert "kafka.partitions" in err


def test_a_configuration_that_is_not_there_exits_with_2(capsys, tmp_path):
    code, _, err = run(capsys, "check", "--config", str(tmp_path / "none.toml"))

    assert code == 2
    assert "none.toml" in err


def test_ctrl_c_exits_with_130(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("funnelwatch.agents.topics.ensure", interrupted)
    code, _, err = run(capsys, "topics")

    assert code == 130
    assert "Interrupted" in err


def test_a_dry_run_counts_what_it_would_publish_and_names_what_it_would_not(capsys, files):
    code, out, err = run(capsys, "replay", "--dry-run", *files)

    assert code == 1
    assert "4 events would be published, 3 lines not" in out
    assert out.split("crm.deals")[1].split()[0] == "3"
    assert out.split("crm.calls")[1].split()[0] == "1"
    assert "plain.ndjson:3" in err
    assert "plain.ndjson:4: no topic takes the type 'deal.sold'" in err
    assert "packed.ndjson.gz:2" in err


def test_a_truncated_gzip_file_is_one_clear_sentence(capsys, tmp_path):
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(gzip.compress(b"\n".join(json.dumps(event(n)).encode() for n in range(500)))[:-20])
    code, _, err = run(capsys, "replay", "--dry-run", str(cut))

    assert code == 1
    assert "cut.ndjson.gz is not a whole gzip file" in err


def test_a_missing_file_is_one_clear_sentence(capsys):
    code, _, err = run(capsys, "replay", "--dry-run", "nowhere.ndjson")

    assert (code, err.strip()) == (1, "nowhere.ndjson does not exist.")


def test_check_says_everything_that_is_wrong_at_once(capsys, tmp_path):
    kafka_port, redis_port = free_ports(2)
    config = tmp_path / "funnelwatch.toml"
    config.write_text(f'[kafka]\nbootstrap = ["127.0.0.1:{kafka_port}"]\n[redis]\nport = {redis_port}\n')
    code, out, _ = run(capsys, "check", "--config", str(config))

    assert code == 1
    assert f"Kafka at 127.0.0.1:{kafka_port} (plaintext) does not answer" in out
    assert f"Redis at 127.0.0.1:{redis_port} does not answer" in out


def test_check_says_which_fold_is_used_and_why(capsys, tmp_path, monkeypatch):
    config = tmp_path / "funnelwatch.toml"
    config.write_text("")
    monkeypatch.setattr(check, "findings", nothing_found)
    said = {
        "": "events are folded by the compiled fold" if compiled.is_installed() else "no compiled fold is installed",
        "python": "events are folded in Python, since worker.fold is 'python'",
    }
    for fold, words in said.items():
        if fold:
            monkeypatch.setenv("FUNNELWATCH_WORKER__FOLD", fold)
        assert words in run(capsys, "check", "--config", str(config))[1]
    monkeypatch.setenv("FUNNELWATCH_WORKER__FOLD", "java")
    assert "'java' is none of compiled, python" in run(capsys, "check", "--config", str(config))[2]


async def nothing_found(*_, **__):
    return []


SOURCES = """
[gateway]
people = "people.toml"
[[sources]]
name = "crm"
system = "hubspot"
options = { fetch = true }
[[sources]]
name = "pbx"
system = "asterisk"
options = { cdr_file = "none/Master.csv" }
[[sources]]
name = "database"
system = "asterisk"
options = { cdr_server = "mysql://funnelwatch@127.0.0.1:1/asteriskcdrdb" }
[[sources]]
name = "relay"
system = "webhook"
mapping_file = "relay.toml"
[[sources]]
name = "calls"
system = "simotel"
"""
RELAY = """
source = "relay"
[[files]]
name = "records"
[[files.events]]
type = "deal.won"
subject = "id"
time = "at"
data = { colour = "colour" }
"""


def test_check_says_what_each_source_lacks(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUNNELWATCH_SECRET_CALLS", "a secret")
    monkeypatch.setenv("FUNNELWATCH_SECRET_DATABASE", "the database's secret")
    config, people = tmp_path / "funnelwatch.toml", tmp_path / "people.toml"
    kafka_port, redis_port = free_ports(2)
    away = f'[kafka]\nbootstrap = ["127.0.0.1:{kafka_port}"]\n[redis]\nport = {redis_port}\n'
    config.write_text(away + SOURCES)
    people.write_text('[[people]]\nrep = "sara"\nids = ["hubspot"]\n')
    (tmp_path / "relay.toml").write_text(RELAY)

    code, out, _ = run(capsys, "check")

    assert code == 1
    said = {block.partition("\n")[0]: block for block in re.split(r"^(?:WRONG|ok   ) ", out, flags=re.MULTILINE)}
    assert "people[0].ids[0]" in said["the table of people people.toml"]
    assert "'crm' has no secret: set FUNNELWATCH_SECRET_CRM" in said["the source crm (HubSpot)"]
    assert "none/Master.csv cannot be read" in said["the source pbx (Asterisk, Issabel, FreePBX)"]
    assert "asteriskcdrdb at 127.0.0.1:1 cannot be read" in said["the source database (Asterisk, Issabel, FreePBX)"]
    (relay,) = (block for name, block in said.items() if name.startswith("the source relay"))
    assert "deals have no such member" in relay
    assert "'relay' has no secret: set FUNNELWATCH_SECRET_RELAY" in relay
    assert "ok    the source calls (Simotel)\n" in out
    assert "the database's secret" not in out


def test_check_says_that_a_poller_has_nothing_to_log_in_with(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FUNNELWATCH_SECRET_CRM", "a secret")
    config = tmp_path / "funnelwatch.toml"
    config.write_text('[[sources]]\nname = "crm"\nsystem = "hubspot"\noptions = { fetch = true }\n')

    assert "set FUNNELWATCH_SECRET_CRM_API" in run(capsys, "check", "--config", str(config))[1]
    assert "the source" not in run(capsys, "check", "--no-gateway", "--config", str(config))[1]
    monkeypatch.setenv("FUNNELWATCH_SECRET_CRM_API", "a token")
    assert "ok    the source crm (HubSpot)" in run(capsys, "check", "--config", str(config))[1]


class Board(BaseHTTPRequestHandler):
    """Knows one rep, whose id needs quoting."""

    def do_GET(self):
        known = self.path == "/api/v1/reps/a%2Fb"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b'{"rep":"a/b","sales":{"won":3,"lost":null},"coaching":[1]}' if known else b"unknown rep")

    def log_message(self, *_):
        pass


@pytest.fixture
def board(tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Board)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    config = tmp_path / "funnelwatch.toml"
    config.write_text(f"[board]\nport = {server.server_port}\n")
    yield str(config)
    server.shutdown()
    thread.join()
    server.server_close()


def test_kpis_prints_the_document_as_the_board_serves_it(capsys, board):
    code, out, _ = run(capsys, "kpis", "--rep", "a/b", "--json", "--config", board)

    assert code == 0
    assert json.loads(out) == {"rep": "a/b", "sales": {"won": 3, "lost": None}, "coaching": [1]}


def test_kpis_prints_plain_figures_for_a_person(capsys, board):
    code, out, _ = run(capsys, "kpis", "--rep", "a/b", "--config", board)

    assert code == 0
    assert "sales.won" in out
    assert "sales.lost" not in out


def test_kpis_of_an_unknown_rep_says_what_the_board_said(capsys, board):
    code, _, err = run(capsys, "kpis", "--rep", "zoe", "--config", board)

    assert code == 1
    assert "404" in err
    assert "unknown rep" in err


def test_kpis_without_a_board_says_how_to_start_one(capsys, tmp_path):
    config = tmp_path / "funnelwatch.toml"
    config.write_text(f"[board]\nport = {free_ports(1)[0]}\n")
    code, _, err = run(capsys, "kpis", "--rep", "a", "--config", str(config))

    assert code == 1
    assert "funnelwatch board" in err
