"""A real MariaDB (or MySQL) server of the test's own, found on this machine, with a table as FreePBX makes it."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from funnelwatch.agents.embedded import free_ports

READY_SECONDS = 60.0
USER, DATABASE = "funnelwatch", "asteriskcdrdb"
TABLE = """CREATE TABLE cdr (
    calldate DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', clid VARCHAR(80) NOT NULL DEFAULT '',
    src VARCHAR(80) NOT NULL DEFAULT '', dst VARCHAR(80) NOT NULL DEFAULT '', dcontext VARCHAR(80) NOT NULL DEFAULT '',
    channel VARCHAR(80) NOT NULL DEFAULT '', dstchannel VARCHAR(80) NOT NULL DEFAULT '',
    lastapp VARCHAR(80) NOT NULL DEFAULT '', lastdata VARCHAR(80) NOT NULL DEFAULT '',
    duration INT NOT NULL DEFAULT 0, billsec INT NOT NULL DEFAULT 0, disposition VARCHAR(45) NOT NULL DEFAULT '',
    amaflags INT NOT NULL DEFAULT 0, accountcode VARCHAR(20) NOT NULL DEFAULT '',
    uniqueid VARCHAR(32) NOT NULL DEFAULT '',
    userfield VARCHAR(255) NOT NULL DEFAULT '', did VARCHAR(50) NOT NULL DEFAULT '',
    recordingfile VARCHAR(255) NOT NULL DEFAULT '', linkedid VARCHAR(32) NOT NULL DEFAULT '',
    sequence INT NOT NULL DEFAULT 0, KEY calldate (calldate), KEY uniqueid (uniqueid)
) DEFAULT CHARSET utf8mb4"""


def program(*names: str) -> str | None:
    """Where one of these programs is: servers are often beside the path."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/libexec"])
    return next((found for name in names if (found := shutil.which(name, path=places))), None)


SERVER = program("mariadbd", "mysqld")
INSTALL = program("mariadb-install-db", "mysql_install_db")


class MariaDb:
    """The server, from the entry of the block to its end. ``password`` is its reader's."""

    def __init__(self, folder: Path, password: str) -> None:
        self.folder = folder
        self.password = password
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Any = None

    def __enter__(self) -> Self:
        assert SERVER
        assert INSTALL
        data = self.folder / "data"
        made = ["--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([INSTALL, *made, f"--user={getpass.getuser()}"], check=True, capture_output=True)
        self.start()
        self.do(f"CREATE DATABASE {DATABASE}")
        self.do(f"USE {DATABASE}")
        self.do(TABLE)
        self.do(f"CREATE USER {USER}@127.0.0.1 IDENTIFIED BY %s", self.password)
        self.do(f"GRANT SELECT ON {DATABASE}.cdr TO {USER}@127.0.0.1")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """As ``cdr_server`` has it."""
        return f"mysql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        import pymysql

        options = [f"--datadir={self.folder / 'data'}", f"--port={self.port}", f"--socket={self.folder / 'socket'}"]
        options += ["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M", f"--user={getpass.getuser()}"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([SERVER, "--no-defaults", *options], stdout=log, stderr=log)
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._connection = pymysql.connect(
                    unix_socket=str(self.folder / "socket"), user="root", autocommit=True, charset="utf8mb4"
                )
            except pymysql.MySQLError as error:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise AssertionError((self.folder / "server.log").read_text()[-2_000:]) from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.terminate()
            self._process.wait(READY_SECONDS)
            self._process = None

    def do(self, statement: str, *values: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    def insert(self, *rows: Mapping[str, object]) -> None:
        """Rows at the table's end."""
        for row in rows:
            names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
            self.do(f"INSERT INTO {DATABASE}.cdr ({names}) VALUES ({marks})", *row.values())
