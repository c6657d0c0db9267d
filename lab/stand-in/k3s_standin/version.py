"""The version this build answers to. build.sh replaces VERSION; a source checkout says the default."""
import re

VERSION = "v1.33.1+k3s1"
GO_VERSION = "go1.24.2"


def minor(text: str = VERSION) -> int:
    """The minor of a k3s version: 33 of v1.33.1+k3s1. Zero when the text is no version."""
    found = re.match(r"v?1\.(\d+)", text or "")
    return int(found.group(1)) if found else 0


def banner() -> str:
    """What `k3s --version` prints. It names itself, so that nobody takes it for k3s."""
    return f"k3s version {VERSION} (stand-in)\ngo version {GO_VERSION}"
