"""A client of the service. It needs httpx, and neither JAX nor a model."""

import base64
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

Answer = dict[str, Any]


class ServiceError(Exception):
    """A request that the service did not answer.

    Attributes:
      status: The status of HTTP.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Client:
    """A client of `seq2seq-jax serve`, whose connections are kept open. Threads may share it.

    Example:
      client = Client("http://127.0.0.1:8000")
      for answer in client.predict(["transformer", "quidditch"], n_best=3, beam_width=5):
          print(answer["text"], answer["log_prob"])
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        """Create a client; it connects when it is first used.

        Args:
          url: The address of the service.
          model: The name of a model; None: the default one of the service.
          api_key: The key of the service, if it needs one.
          timeout: Seconds to wait for an answer.
          retries: How often a request is repeated that the service refuses because it is busy or
            starting (status 429 or 503), after the time that the service asks for.
        """
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        # Unused connections are closed here first: the service closes them after 5 seconds.
        limits = httpx.Limits(keepalive_expiry=3)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, limits=limits)
        self._model, self._retries = model, retries

    def predict(
        self,
        texts: Iterable[str] = (),
        *,
        features: Iterable[str] | None = None,
        images: Iterable[str | Path | bytes] = (),
        attention: bool = False,
        beam: bool = False,
        truncate: bool = False,
        **options: Any,
    ) -> list[Answer]:
        """Predict the outputs for texts or images.

        Args:
          texts: The source texts.
          features: For a model that reads features, those of each text: "V;PST".
          images: For an image model, files or their bytes.
          attention: Return attention weights.
          beam: Return the beam search as a tree.
          truncate: Truncate texts that are too long for the model.
          **options: Search options, such as `beam_width=5, n_best=3`.

        Returns:
          An answer for each input, with the keys `text`, `tokens`, `log_prob`, `score`,
          `finished`, `n_best` and others, as `infer --json` writes them.

        Raises:
          TypeError: `texts` is one text instead of a list.
          ServiceError: The service refused the request.
          httpx.TransportError: The service cannot be reached.
        """
        texts, encoded = _as_list("texts", texts), [_encode(image) for image in images]
        body: dict[str, Any] = {"images": encoded} if encoded else {"texts": texts}
        if not encoded and not texts:
            return []
        if features is not None:
            body["features"] = _as_list("features", features)
        body |= {"attention": attention, "beam": beam, "truncate": truncate, "options": options}
        answers: list[Answer] = self._post("/v1/predict", body)["answers"]
        return answers

    def score(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        *,
        features: Iterable[str] | None = None,
        attention: bool = False,
    ) -> list[Answer]:
        """Compute the log-probability of each target given its source.

        Args:
          sources: The source texts.
          targets: A target for each.
          features: As for `predict`.
          attention: Return attention weights.

        Returns:
          A score for each pair, with the keys `log_prob`, `tokens`, `token_log_probs` and others.

        Raises:
          TypeError: An argument is one text instead of a list.
          ServiceError: The service refused the request.
          httpx.TransportError: The service cannot be reached.
        """
        body: dict[str, Any] = {
            "sources": _as_list("sources", sources),
            "targets": _as_list("targets", targets),
            "attention": attention,
        }
        if features is not None:
            body["features"] = _as_list("features", features)
        if not body["sources"] and not body["targets"]:
            return []
        scores: list[Answer] = self._post("/v1/score", body)["scores"]
        return scores

    def model(self) -> dict[str, Any]:
        """Return what the service says about the model: its search, its limits, its name."""
        params = {} if self._model is None else {"name": self._model}
        return self._request("GET", "/v1/model", params=params)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._model is not None:
            body["model"] = self._model
        return self._request("POST", path, json=body)

    def _request(self, method: str, path: str, **keywords: Any) -> dict[str, Any]:
        for attempt in range(self._retries + 1):
            response = self._http.request(method, path, **keywords)
            wait = response.headers.get("retry-after")
            if wait is None or attempt == self._retries:
                break
            time.sleep(float(wait) * random.uniform(0.5, 1.0))
        if response.is_success:
            values: dict[str, Any] = response.json()
            return values
        try:
            sentence = response.json()["error"]
        except (ValueError, KeyError, TypeError):
            sentence = f"{response.status_code} {response.reason_phrase}"
        raise ServiceError(response.status_code, sentence)


def _as_list(name: str, texts: Iterable[str]) -> Sequence[str]:
    if isinstance(texts, str):
        raise TypeError(f"{name} must be a list of texts; got one text.")
    return list(texts)


def _encode(image: str | Path | bytes) -> str:
    data = image if isinstance(image, bytes) else Path(image).read_bytes()
    return base64.b64encode(data).decode()
