"""Services for tests: a real process with a tiny model, and a thread with a model made of words."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import httpx

from seq2seq_jax.serving.server import bind, serve
from seq2seq_jax.serving.settings import ServiceSettings
from seq2seq_jax.utils.errors import UserError


class ServiceProcess:
    """`seq2seq-jax serve` in a process.

    Attributes:
      url: Its address.
      lines: The objects of its log.
    """

    def __init__(self, *arguments, **environment) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seq2seq_jax", "serve", "--port=0", *map(str, arguments)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SEQ2SEQ_JAX_NO_RESTART": "1", **environment},
        )
        self.lines, self._ready = [], threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(120), self.lines
        self.url = re.search(r"http://\S+", self.events()[0])[0]

    def events(self):
        return [line["event"] for line in self.lines if isinstance(line, dict)]

    def stop(self, number=signal.SIGTERM):
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        self._reader.join()
        return status

    def close(self):
        """End the process, if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def _read(self) -> None:
        for line in self.process.stderr:
            with contextlib.suppress(json.JSONDecodeError):
                line = json.loads(line)
            self.lines.append(line)
            if isinstance(line, dict) and line["event"].startswith("Ready"):
                self._ready.set()
        self._ready.set()


class UpperCase:
    """A `ServedModel` that answers with capital letters, `delay` seconds after it is asked.

    Attributes:
      batches: The texts of each batch.
    """

    input, batch_size = "text", 4

    def __init__(self, delay=0.0) -> None:
        self.delay, self.batches = delay, []

    def describe(self):
        search = {"beam_width": 1, "n_best": 1}
        return {"input": "text", "has_attention": False, "has_beam": False, "search": search}

    def warm_up(self, max_beam_width):
        return iter(())

    def check(self, inputs, options):
        for index, (text, _) in enumerate(inputs):
            if text == "refused":
                raise UserError(f"texts[{index}]", "is refused; use another text")

    def predict(self, inputs, options):
        texts = [text for text, _ in inputs]
        self.batches.append(texts)
        time.sleep(self.delay)
        if "broken" in texts:
            raise RuntimeError("broken, and this text is secret")
        return list(map(self._answer, texts))

    def _answer(self, text):
        best = {"text": text.upper(), "tokens": [*text.upper()], "log_prob": -0.5, "score": -0.5}
        best["finished"] = True
        return {"source": text, "source_tokens": [*text], **best, "n_best": [best]}

    def score(self, pairs, attention):
        return [{"log_prob": -float(len(target))} for _, target in pairs]


@contextlib.contextmanager
def service_of(model, api_key=None, **settings):
    """Serve a `ServedModel` from a thread; yields the address when the model is ready."""
    address, servers, problems = bind("127.0.0.1", 0), [], []

    def run():
        try:
            models = {"tested": model}
            serve(models, address, ServiceSettings(**settings), api_key, servers.append)
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while httpx.get(f"{address.url}/health", timeout=60).status_code != 200:
            time.sleep(0.02)
        yield address.url
    finally:
        servers[0].should_exit = True
        thread.join(30)
        address.socket.close()
        assert not thread.is_alive()
        assert problems == []
