"""A receiver of Alertmanager's webhooks that notes what came and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Receiver:
    """Listens on a free port of loopback; ``messages`` are (seconds since the epoch, path, headers, body)."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, str, dict[str, str], dict[str, Any]]] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                came = time.time()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.messages.append((came, self.path, dict(self.headers), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def alerts(self, path: str = "/", status: str = "firing") -> list[dict[str, Any]]:
        """All alerts of all messages to a path, as often as they came."""
        with self._lock:
            return [
                alert
                for _, where, _, body in self.messages
                if where == path
                for alert in body["alerts"]
                if alert["status"] == status
            ]

    def names(self, path: str = "/", status: str = "firing") -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.alerts(path, status)}

    def wait(self, until: Callable[[], bool], seconds: float = 20.0) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return True
            time.sleep(0.02)
        return False
