"""`k3s check-config`: says little and exits as the real one does in a container."""
from . import version


def check_config() -> int:
    print(f"\nVerifying binaries in this stand-in of {version.VERSION}:\n- sha256sum: good\n- links: good\n\n"
          "System:\n- swap: disabled\n- routes: ok\n\nSTATUS: 1 (fail)")
    # The real one exits with the number of what it misses, which in containers is never nothing.
    return 1
