"""A real ClickHouse server, from Debian, started and killed by the tests."""

import base64
import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

USER, PASSWORD = "meter", "not-a-secret"
CONFIG = """<yandex><logger><level>error</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><http_port>{port}</http_port>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<mark_cache_size>67108864</mark_cache_size><users_config>users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database></yandex>"""
USERS = f"""<yandex><profiles><default></default></profiles><quotas><default></default></quotas>
<users><default><password></password><networks></networks><profile>default</profile>
<quota>default</quota></default><{USER}><password>{PASSWORD}</password><profile>default</profile>
<quota>default</quota><networks><ip>127.0.0.1</ip></networks></{USER}></users></yandex>"""


def why_not() -> str:
    """Why no server can be started here; empty if one can."""
    found = shutil.which("clickhouse-server")
    return "" if found else "no ClickHouse: apt-get install clickhouse-server"


@dataclass
class ClickHouse:
    """One server on a folder of its own; it listens on loopback only."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def made(cls) -> "ClickHouse":
        folder = Path(tempfile.mkdtemp(prefix="inferometer-clickhouse-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = cls(folder, probe.getsockname()[1])
        text = CONFIG.format(port=server.port, folder=folder)
        (folder / "config.xml").write_text(text, encoding="utf-8")
        (folder / "users.xml").write_text(USERS, encoding="utf-8")
        return server

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                ["clickhouse-server", f"--config-file={self.folder / 'config.xml'}"],  # noqa: S607
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            try:
                assert self.ask("SELECT 1") == "1\n"
            except ConnectionError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, statement: str) -> str:
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", "/", statement, {"authorization": f"Basic {token}"})
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 200, text
        return text


@dataclass
class DeafProxy:
    """Passes requests on to a server; while `deaf`, the answers are lost on their way back."""

    target: int
    deaf: bool = False
    lost: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @contextlib.contextmanager
    def running(self) -> Iterator["DeafProxy"]:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        thread = threading.Thread(target=self._serve)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)
            self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            with caller, socket.create_connection(("127.0.0.1", self.target)) as server:
                back = threading.Thread(target=self._back, args=(server, caller))
                back.start()
                with contextlib.suppress(OSError):
                    while data := caller.recv(65536):
                        server.sendall(data)
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                back.join(30)

    def _back(self, server: socket.socket, caller: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self.deaf:
                    self.lost += 1
                    caller.shutdown(socket.SHUT_RDWR)
                    return
                caller.sendall(data)
