"""What a server process holds, seen from outside: memory and descriptors from the kernel, numbers from `/metrics`."""

import os
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from servers.netra import NetraServer
from servers.process import ServerProcess

KIB = 1024
MIB = 1024 * KIB


def resident(server: NetraServer) -> int:
    """Resident memory of the process, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * KIB


def cpu_seconds(server: ServerProcess) -> float:
    """Processor time that the process has used so far."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def scheduled(server: ServerProcess) -> tuple[float, float]:
    """Seconds that the process's main thread has run, and that it was ready to run and the machine had no room."""
    ran, waited, _ = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


def descriptors(server: NetraServer) -> int:
    """Open file descriptors of the process."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def metrics(server: NetraServer) -> dict[str, float]:
    """Samples of `/metrics`, by name; with a label, as `name{value}`."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        sample.name + (f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""): sample.value
        for family in families
        for sample in family.samples
    }
