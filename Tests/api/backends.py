"""A PostgreSQL and a Redis server of a test's own, and a wire to them that can be cut.

Both listen on a free port of the loopback address, keep everything in a temporary folder, come back
on the same port after they were ended, and are ended by their process id; the kernel ends them too
when the tests are killed.
"""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from checks import eventually
from postgres import sql
from proxies import free_port, program

STOP_SECONDS = 30
REDIS_PASSWORD = "Canary-redis"  # in no line of a log


def postgres_program(name: str) -> str:
    """Debian keeps the server's programs outside of PATH, a folder for each version: the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else program(name)


class Backend:
    """One process in a folder of its own."""

    name = ""

    def __init__(self) -> None:
        # Not pytest's folder, which is root's alone: a server that is not root's must get there.
        self.folder = Path(tempfile.mkdtemp(prefix=f"gatehouse-{self.name}-"))
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command()], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        eventually(self._is_up, within=30, what=f"{self.name} on port {self.port}")

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log()
        return self.answers()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=STOP_SECONDS)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Backend):
    """`settings` are lines of postgresql.conf, `access` the lines of pg_hba.conf."""

    name = "postgres"

    def __init__(
        self, *settings: str, access: str = "host all all 127.0.0.1/32 trust",
        files: dict[str, bytes] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.as_owner: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            self.as_owner = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = self.folder / "data"
        done = subprocess.run(
            ["setpriv", *self.as_owner, postgres_program("initdb"), f"--pgdata={data}",
             "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
             "--no-sync"], cwd=self.folder, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with (data / "postgresql.conf").open("a") as file:
            file.write("\n".join(["", *settings, ""]))
        (data / "pg_hba.conf").write_text(f"local all all trust\n{access}\n")
        for name, content in (files or {}).items():
            (data / name).write_bytes(content)
            (data / name).chmod(0o600)
            if self.as_owner:
                os.chown(data / name, owner.pw_uid, owner.pw_gid)
        self.start()

    def command(self) -> list[str]:
        # fsync stays on: what a crash of the server itself loses is part of what is tested.
        return [
            *self.as_owner, postgres_program("postgres"), "-D", str(self.folder / "data"),
            "-k", str(self.folder), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
            "-c", "max_connections=100",
        ]  # fmt: skip

    def answers(self) -> bool:
        asked = [postgres_program("pg_isready"), "--quiet", f"--host={self.folder}"]
        return subprocess.run([*asked, f"--port={self.port}"]).returncode == 0

    def stop(self) -> None:
        """The ordinary end: transactions are rolled back, connections closed."""
        self.end(signal.SIGINT)

    def kill(self) -> None:
        """As a crash: no process of it is asked; the next start recovers from the log."""
        self.end(signal.SIGQUIT)

    def url(self, port: int | None = None) -> str:
        return f"postgres://postgres@127.0.0.1:{port or self.port}/postgres"

    def sql(self, statement: str) -> list[str]:
        return sql(f"postgres://postgres@/postgres?host={self.folder}&port={self.port}", statement)


class Redis(Backend):
    """Keeps nothing: what it had is gone after a restart. `arguments` are redis-server's own; with
    `tls` they name the certificate."""

    name = "redis"

    def __init__(self, *arguments: str, tls: bool = False) -> None:
        super().__init__()
        self.arguments, self.tls = arguments, tls
        self.start()

    def command(self) -> list[str]:
        port = str(self.port)
        return [
            program("redis-server"), *(["--port", "0", "--tls-port", port] if self.tls else
            ["--port", port]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--maxmemory-policy", "noeviction", "--requirepass", REDIS_PASSWORD,
            "--dir", str(self.folder), *self.arguments,
        ]  # fmt: skip

    def answers(self) -> bool:
        with suppress(OSError):
            if self.tls:
                socket.create_connection(("127.0.0.1", self.port), timeout=10).close()
                return True
            return self.ask("PING") == "+PONG"
        return False

    def ask(self, *words: str) -> str:
        """The first line of the answer to a command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            with connection.makefile("rb") as stream:
                for command in (("AUTH", REDIS_PASSWORD), words):
                    parts = [f"${len(word)}\r\n{word}\r\n" for word in command]
                    connection.sendall(f"*{len(command)}\r\n{''.join(parts)}".encode())
                    answer = stream.readline().decode().strip()
                return answer

    def url(self, port: int | None = None) -> str:
        return f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port or self.port}"


class Wire:
    """A way to a port of this machine that can be cut, and mended again."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock, self._pairs, self._is_cut = threading.Lock(), set(), False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends what is connected; who connects is thrown out at once."""
        with self._lock:
            self._is_cut = True
            for pair in self._pairs:
                for end in pair:
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with suppress(OSError), near:
            if self._is_cut:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as far:
                pair = (near, far)
                with self._lock:
                    if self._is_cut:
                        return
                    self._pairs.add(pair)
                try:
                    self._pump(*pair)
                finally:
                    with self._lock:
                        self._pairs.discard(pair)

    @staticmethod
    def _pump(near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        while True:
            for end in select.select([near, far], [], [])[0]:
                part = end.recv(65_536)
                if not part:
                    return
                other[end].sendall(part)
