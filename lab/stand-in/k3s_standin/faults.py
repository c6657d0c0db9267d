"""Faults that a test asks for in standin.json."""
import os
import time

from . import env, log


def point(name: str) -> None:
    """Pass a named point of the start: crash or hang there when `crash_at` or `hang_at` says so."""
    found = env.knobs()
    if name in str(found["crash_at"]).split("|"):
        marker = env.host(f"/etc/rancher/.standin-crashed-{name}")
        if not found["crash_once"] or not os.path.exists(marker):
            if found["crash_once"]:
                env.write(marker, "")
            log.fatal(f"Error: crash injected at {name}")
    while name in str(env.knobs()["hang_at"]).split("|"):
        time.sleep(0.2)
