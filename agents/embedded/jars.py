"""Kafka's jars: fetched once, by exact coordinates, into the user's cache, and checked by checksum at every start."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib import resources
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from funnelwatch.agents.embedded.errors import EmbeddedError, JarsUnavailableError

DOWNLOADS_AT_ONCE = 6
DOWNLOAD_TIMEOUT_SECONDS = 20


class Jar(msgspec.Struct, frozen=True):
    """One jar: ``group:artifact:version``, its SHA-256 and its size in bytes."""

    coordinates: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The name under which the cache keeps it."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


class Lock(msgspec.Struct, frozen=True):
    """The version of Kafka and everything its class path needs."""

    kafka: str
    jars: tuple[Jar, ...]


def lock() -> Lock:
    """The committed list of jars."""
    text = resources.files(__package__).joinpath("kafka.lock.json").read_bytes()
    return msgspec.json.decode(text, type=Lock)


def cache_dir() -> Path:
    """Where downloads are kept: ``FUNNELWATCH_CACHE``, else ``funnelwatch`` in the user's cache folder."""
    own = os.environ.get("FUNNELWATCH_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "funnelwatch"


def kafka_jars(console: Console | None = None) -> list[Path]:
    """The paths of all jars, checked; missing or damaged ones are fetched first, with a progress bar on ``console``.

    Raises:
        JarsUnavailableError: A jar is missing and cannot be fetched.
        EmbeddedError: The cache cannot be written, or what was fetched is not what the lock file names.
    """
    wanted = lock()
    folder = cache_dir() / f"kafka-{wanted.kafka}"
    missing = [jar for jar in wanted.jars if not _intact(folder / jar.file_name, jar)]
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as work:
                _fetch(wanted, missing, Path(work), folder, console or Console(stderr=True))
        except PermissionError as error:
            raise EmbeddedError(
                f"The cache folder {folder} cannot be written: set FUNNELWATCH_CACHE to a folder that can."
            ) from error
    return [folder / jar.file_name for jar in wanted.jars]


def _intact(path: Path, jar: Jar) -> bool:
    if not path.is_file() or path.stat().st_size != jar.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


def _fetch(wanted: Lock, missing: list[Jar], work: Path, folder: Path, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress, ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        task = progress.add_task(f"Apache Kafka {wanted.kafka}, once", total=sum(jar.size for jar in missing))
        downloads = {pool.submit(_download, jar, work, folder): jar for jar in missing}
        try:
            for done in as_completed(downloads):
                done.result()
                progress.advance(task, downloads[done].size)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _download(jar: Jar, work: Path, folder: Path) -> None:
    """Fetch one jar beside its place, check it, and move it there in one step."""
    from jgo.maven import MavenContext  # noqa: PLC0415  (an optional dependency, and slow to import)

    group, artifact, version = jar.coordinates.split(":")
    context = MavenContext(repo_cache=work, local_repos=[], timeout=DOWNLOAD_TIMEOUT_SECONDS)
    try:
        fetched = Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; RuntimeError: the repository has it not
        raise JarsUnavailableError(
            f"Kafka's jars are not in {folder} and cannot be fetched from Maven Central ({jar.coordinates}: "
            f"{type(error).__name__}): connect this machine to the network once, or set FUNNELWATCH_CACHE to the cache "
            "folder of a machine that has them."
        ) from error
    if not _intact(fetched, jar):
        raise EmbeddedError(
            f"What was fetched for {jar.coordinates} is not the file that kafka.lock.json names (SHA-256 differs): "
            "something between this machine and Maven Central changes files; nothing was kept."
        )
    shutil.move(fetched, folder / jar.file_name)  # the same file system: one rename
