"""The text of the tiny models: Debian packages, read file by file.

Packages are downloaded with `apt-get download` and unpacked with `dpkg-deb -x` into the work
folder; nothing is installed. A file belongs to training or to validation by a hash of its path, so
that no document is in both.
"""

import gzip
import hashlib
import html
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Larger files are mostly generated tables or lists, each of them a large part of a domain.
LARGEST_FILE = 512 * 1024
#: One file in so many is for validation.
VALIDATION_EVERY = 20


@dataclass(frozen=True)
class Source:
    """Files of one Debian package: those that match `pattern`, cleaned as `form` says."""

    package: str
    pattern: str
    form: str = "plain"


DOMAINS: dict[str, tuple[Source, ...]] = {
    "python": (
        Source("libpython3.11-stdlib", "**/*.py"),
        Source("python3-django", "**/*.py"),
        Source("python3-sqlalchemy", "**/*.py"),
        Source("python3-twisted", "**/*.py"),
    ),
    "c": tuple(
        Source(package, "usr/include/**/*.h")
        for package in (
            "libc6-dev",
            "libglib2.0-dev",
            "libgstreamer-plugins-base1.0-dev",
            "libgstreamer1.0-dev",
            "libgtk-3-dev",
            "libpython3.11-dev",
            "libsdl2-dev",
            "libssl-dev",
            "linux-libc-dev",
            "postgresql-server-dev-15",
            "ruby3.1-dev",
        )
    ),
    "german": (
        Source("manpages-de", "usr/share/man/de/**/*.gz", "roff"),
        Source("gimp-help-de", "**/*.html", "html"),
        Source("debian-reference-de", "**/*.de.html", "html"),
        Source("developers-reference-de", "**/*.html", "html"),
    ),
    "english": (
        Source("manpages-dev", "usr/share/man/**/*.gz", "roff"),
        Source("perl-doc", "**/*.pod"),
        Source("postgresql-doc-15", "**/*.html", "html"),
        Source("git-doc", "**/*.txt"),
    ),
}
#: A target that no run trains on: all of it is for validation.
OUTSIDE: dict[str, tuple[Source, ...]] = {
    "dictionary": (Source("dict-gcide", "usr/share/dictd/gcide.dict.dz", "dictionary"),),
}


def fetch(package: str, folder: Path) -> dict[str, str]:
    """Downloads and unpacks one package into `folder`/package, if it is not there yet.

    Returns:
        Its name, version, and the SHA-256 of the package file.
    """
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    if not any(debs.glob(f"{package}_*.deb")):
        subprocess.run(["apt-get", "download", "-q", package], cwd=debs, check=True)
    [deb] = debs.glob(f"{package}_*.deb")
    unpacked = folder / "unpacked" / package
    if not unpacked.exists():
        partial = unpacked.with_suffix(".partial")
        partial.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", deb, partial], check=True)
        partial.rename(unpacked)
    shown = subprocess.run(
        ["dpkg-deb", "-f", deb, "Version"], check=True, capture_output=True, text=True
    )
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    return {"package": package, "version": shown.stdout.strip(), "sha256": digest}


def documents(sources: tuple[Source, ...], folder: Path) -> Iterator[tuple[str, str]]:
    """The documents of a domain: pairs of path and text, in an order that a hash of the path gives.

    A text that was there already, in any file, is left out, and so are links.
    """
    files = {}
    for source in sources:
        root = folder / "unpacked" / source.package
        for path in root.glob(source.pattern):
            if path.is_file() and not path.is_symlink():
                files[f"{source.package}/{path.relative_to(root)}"] = (path, source.form)
    seen: set[bytes] = set()
    for name in sorted(files, key=name_hash):
        path, form = files[name]
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix in {".gz", ".dz"} else raw
        if len(raw) > LARGEST_FILE and form != "dictionary":
            continue
        text = clean(raw.decode("utf-8", errors="replace"), form)
        digest = hashlib.sha256(text.encode()).digest()
        if text and digest not in seen:
            seen.add(digest)
            yield name, text


def name_hash(name: str) -> int:
    """A number that only the name decides, the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def is_validation(name: str) -> bool:
    """Whether the file of this name is kept for validation."""
    return name_hash(name) % VALIDATION_EVERY == 0


def clean(text: str, form: str) -> str:
    """Plain text of a document: without tags for "html", without comment lines for "roff"."""
    if form == "html":
        text = re.sub(r"(?is)<(head|script|style)\b.*?</\1>", " ", text)
        text = html.unescape(re.sub(r"(?s)<!--.*?-->|<[^>]+>", "", text))
        text = re.sub(r"[ \t\xa0]+", " ", text)
    elif form == "roff":
        text = re.sub(r"(?m)^[.']\\\".*\n?", "", text)
    text = re.sub(r"[ \t]+\n", "\n", text.replace("\r\n", "\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
