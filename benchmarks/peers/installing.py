"""Makes the peers runnable: exact versions, each in a folder of its own below a cache outside the repository.

A folder is named by a hash of what it is made of, so that a changed pin or job is built anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"
DONE = "installed"
SHOWN_CHARS = 2_000


class CannotInstall(Exception):  # noqa: N818  (the system is left out, and why is said)
    """What is missing, or what went wrong."""


def install(what: str, cache: Path) -> Path:
    """The folder of a peer.

    Args:
        what: A folder beside this file with a ``pom.xml``, ``go.mod`` or ``Cargo.toml``, or the name of a file of pins.
        cache: Where folders are made.

    Raises:
        CannotInstall: A tool is missing, or it failed.
    """
    source = HERE / what
    pins = HERE / "pins" / f"{what}.txt"
    files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [pins]
    is_ours = (source / "Cargo.toml").exists()
    if is_ours:
        files += sorted([NATIVE / "Cargo.toml", *(NATIVE / "src").glob("*.rs")])
    folder = cache / f"{what}-{_hash(files)}"
    if not (folder / DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        if is_ours:
            _cargo(source, folder)
        else:
            _peer(source, folder, pins)
        (folder / DONE).touch()
    return folder


def _peer(source: Path, folder: Path, pins: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, folder)
    (_maven if (source / "pom.xml").exists() else _go if source.is_dir() else _environment)(folder, pins)


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _maven(folder: Path, _: Path) -> None:
    _require("java", "a JDK of version 17 or newer")
    _require("mvn", "Maven")
    goals = ["compiler:compile", "dependency:copy-dependencies", "-DoutputDirectory=target/libs"]
    _run(["mvn", "-q", "-B", *goals], folder)


def _go(folder: Path, _: Path) -> None:
    _require("go", "Go")
    _run(["go", "build", "-o", "limit", "."], folder)


def _cargo(source: Path, folder: Path) -> None:
    """Built where it is, since it is made of the product's crate, too."""
    _require("cargo", "Rust")
    target = folder / "target"
    _run(["cargo", "build", "--quiet", "--release", "--target-dir", str(target)], source, PYO3_PYTHON=sys.executable)
    shutil.copy(target / "release/libfunnelwatch_reduced.so", folder / "funnelwatch_reduced.so")


def _environment(folder: Path, pins: Path) -> None:
    _require("uv", "uv")
    _run(["uv", "venv", "--quiet", "--python", sys.executable, str(folder)], HERE)
    _run(["uv", "pip", "install", "--quiet", "--python", str(folder / "bin/python"), "-r", str(pins)], HERE)


def _require(program: str, what: str) -> None:
    if shutil.which(program) is None:
        raise CannotInstall(f"{program} is not on the path: install {what}")


def _run(command: list[str], folder: Path, **variables: str) -> None:
    environment = os.environ | variables
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise CannotInstall(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-SHOWN_CHARS:]}")
