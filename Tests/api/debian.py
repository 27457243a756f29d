"""Debian packages: made of the binary under test, read, and tried in a Debian of their own."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gatehouse

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache/debootstrap"
PACKING_SECONDS = 900  # some 40 when nothing else runs
SYSTEM_SECONDS = 900  # debootstrap fetches some 60 MB, once
NOT_COMPARED = ("./proc", "./sys", "./dev", "./tmp", "./run", "./var/cache", "./var/log",
                "./var/lib/dpkg", "./var/lib/apt", "./root")  # fmt: skip
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
         "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # fmt: skip


def run(*words: str, seconds: int = 60, **options) -> subprocess.CompletedProcess[str]:
    """What it printed, on both streams; anything but success is a failed test."""
    given = {} if "input" in options else {"stdin": subprocess.DEVNULL}
    result = subprocess.run(
        words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
        **given, **options,
    )  # fmt: skip
    assert result.returncode == 0, f"{' '.join(words)}: {result.returncode}\n{result.stdout}"
    return result


@dataclass
class Package:
    path: Path

    def field(self, name: str) -> str:
        return run("dpkg-deb", "--field", str(self.path), name).stdout.strip()

    def members(self) -> dict[str, tarfile.TarInfo]:
        packed = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", self.path], check=True, capture_output=True, timeout=60
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return {member.name: member for member in archive}

    def files(self) -> set[str]:
        return {name.removeprefix(".") for name, about in self.members().items() if about.isfile()}

    def control(self, into: Path) -> Path:
        run("dpkg-deb", "--control", str(self.path), str(into))
        return into

    def repacked(self, folder: Path, setting: str) -> Package:
        """The same package, but its own configuration file has another line."""
        tree = folder / "tree"
        run("dpkg-deb", "--raw-extract", str(self.path), str(tree))
        file = tree / "etc/gatehouse/gatehouse.yaml"
        file.write_text(file.read_text() + setting)
        path = folder / self.path.name
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(path))
        return Package(path)


def pack(into: Path, *options: str, quickly: bool = True) -> Package:
    """`quickly`: without the package of symbols, and pressed less."""
    quick = {"DEB_BUILD_OPTIONS": "noautodbgsym", "DPKG_DEB_COMPRESSOR_TYPE": "gzip",
             "DPKG_DEB_COMPRESSOR_LEVEL": "1"}  # fmt: skip
    tool = str(ROOT / "tools/package-deb")
    run(tool, *options, "--into", str(into), gatehouse.binary(), seconds=PACKING_SECONDS,
        env=os.environ | (quick if quickly else {}))  # fmt: skip
    (path,) = into.glob("gatehouse_*.deb")
    return Package(path)


def units() -> list[Path]:
    return sorted((ROOT / "systemd").glob("*"))


def is_enabled_at_install(unit: Path) -> bool:
    return "[Install]" in unit.read_text().splitlines() and unit.suffix != ".timer"


# A Debian to install into


def _mirror(codename: str) -> str:
    """Where this machine's own apt fetches that release from."""
    said = run("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)",
               "Created-By: Packages").stdout  # fmt: skip
    for line in said.splitlines():
        words = line.split()
        if words[:2] == [codename, "main"]:
            return words[2]
    raise AssertionError(f"apt on this machine has no source for {codename} main:\n{said}")


def system(into: Path) -> System:
    """A new system of this machine's own release, from the cache after the first time."""
    assert os.geteuid() == 0, "debootstrap and chroot need root"
    about = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if line
    )
    codename = about["VERSION_CODENAME"].strip('"')
    architecture = run("dpkg", "--print-architecture").stdout.strip()
    kept = CACHE / f"{codename}-{architecture}.tar"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = into.with_name(into.name + "-fresh")
        run("debootstrap", "--variant=minbase", codename, str(fresh), _mirror(codename),
            seconds=SYSTEM_SECONDS)  # fmt: skip
        part = kept.with_suffix(".part")
        run("tar", "--create", "--file", str(part), "--directory", str(fresh), ".", seconds=300)
        shutil.rmtree(fresh)
        part.rename(kept)
    into.mkdir()
    run("tar", "--extract", "--file", str(kept), "--directory", str(into), seconds=300)
    made = System(into)
    # Debian's policy for a system that must not start anything by itself.
    made.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755)
    return made


@dataclass
class System:
    root: Path

    def copy(self, into: Path) -> System:
        run("cp", "--archive", "--reflink=auto", str(self.root), str(into), seconds=300)
        return System(into)

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        self.path(name).write_text(text)
        self.path(name).chmod(mode)

    def inside(self, *words: str, user: str = "root") -> list[str]:
        """The command line that runs `words` in there; it becomes that process, so signals reach
        it. /proc is there for as long as the process is."""
        script = (
            'mount -t proc proc "$1/proc" && root=$1 user=$2 && shift 2 && '
            'exec chroot --userspec="$user" "$root" "$@"'
        )
        return ["unshare", "--mount", "sh", "-c", script, "sh", str(self.root), user, *words]

    def run(self, *words: str, seconds: int = 120, user: str = "root", **options):
        return run(*self.inside(*words, user=user), seconds=seconds, env=QUIET, **options)

    def install(self, package: Package, *options: str) -> str:
        shutil.copy(package.path, self.path("/tmp/package.deb"))
        said = self.run("dpkg", *options, "--install", "/tmp/package.deb", seconds=300).stdout
        self.path("/tmp/package.deb").unlink()
        return said

    def names(self) -> set[str]:
        """Every path there is, but for caches, logs and what the kernel shows."""
        prune = [word for name in NOT_COMPARED for word in ("-path", name, "-prune", "-o")]
        found = run("find", ".", *prune, "-print", cwd=self.root).stdout
        return {line.removeprefix(".") for line in found.splitlines()}

    def owner(self, name: str) -> tuple[str, str, str]:
        mode, user, group = self.run("stat", "--format", "%a %U %G", name).stdout.split()
        return mode, user, group

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The installed daemon, as its user; yields its address and ends it with SIGTERM."""
        process = subprocess.Popen(
            self.inside("gatehouse", "serve", "--listen", "127.0.0.1:0", user="gatehouse"),
            env=QUIET | {"GATEHOUSE_LOG_LEVEL": "info"}, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line)
                event = gatehouse.parsed(line)
                if event.get("message") == "listening":
                    yield event["address"]
                    break
            else:
                raise AssertionError("the daemon did not come up:\n" + "".join(lines))
        finally:
            process.terminate()
            rest, _ = process.communicate(timeout=gatehouse.STOP_SECONDS)
        assert process.returncode == 0, "".join(lines) + rest
