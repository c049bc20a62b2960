"""A Python task service in the local target's own runtime, and the other side of Lambda's runtime API: no emulator."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RUNTIME = Path(__file__).parents[2] / "local" / "bootstrap" / "python_runtime.py"


@dataclass(frozen=True)
class Outcome:
    """What the runtime reported of one invocation; an environment that ended before it did reports nothing."""

    failed: bool
    body: bytes


class RuntimeApi(ThreadingHTTPServer):
    """Hands out events one after the other; when there are no more, the environment is told to end."""

    daemon_threads = True

    def __init__(self, events: Sequence[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.left = list(events)
        self.outcomes: list[Outcome] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        if not self.server.left:
            self._reply(410, b"")
            return
        self._reply(200, self.server.left.pop(0))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.outcomes.append(Outcome(self.path.endswith("/error"), body))
        self._reply(202, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", "request")
        self.send_header("Lambda-Runtime-Deadline-Ms", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library names it
        """Say nothing."""


def run(folder: Path, events: Sequence[bytes]) -> list[Outcome]:
    """Serve events with `handler.py` of a folder, in one environment, until it ends or there are no more."""
    api = RuntimeApi(events)
    thread = threading.Thread(target=api.serve_forever)
    thread.start()
    variables = {
        "TMPDIR": str(folder),
        "AWS_LAMBDA_FUNCTION_NAME": "probe",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_STREAM_NAME": "log",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_address[1]}",
        "LAMBDA_TASK_ROOT": str(folder),
        "_HANDLER": "handler.handler",
        "PATH": os.environ["PATH"],
    }
    try:
        subprocess.run(
            [sys.executable, "-I", str(RUNTIME)],
            cwd=folder,
            env=variables,
            capture_output=True,
            check=False,
            timeout=60,
        )
    finally:
        api.shutdown()
        thread.join()
        api.server_close()
    return api.outcomes
