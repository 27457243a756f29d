"""Every page of the console, and who sees it: what is run over all of them takes the list here."""

from __future__ import annotations

import re
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "web"

ENTRY = re.compile(r'\{\s*path: "(?P<path>[^"]+)",.*?access: "(?P<access>\w+)"', re.DOTALL)


def listed() -> list[tuple[str, str]]:
    """(path, access) of each entry of web/pages.js."""
    found = [(m["path"], m["access"]) for m in ENTRY.finditer((WEB / "pages.js").read_text())]
    assert len(found) > 10, "web/pages.js is not written as this expects"
    return found


STRANGERS = [path for path, access in listed() if access in ("stranger", "open")]
USERS = [path for path, access in listed() if access == "user"]
STAFF = [path for path, access in listed() if access in ("staff", "admin")]
