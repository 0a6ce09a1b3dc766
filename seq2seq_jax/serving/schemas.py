"""The bodies of requests and answers: what OpenAPI describes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class SearchOptions(_Request):
    """Search options, by the last names of the keys below `inference`.

    The operator of the service decides which of them a request may set; `GET /v1/model` lists them.
    """

    beam_width: Annotated[int, Field(ge=1, le=1000)] | None = None
    n_best: Annotated[int, Field(ge=1, le=1000)] | None = None
    length_penalty_weight: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    coverage_penalty_weight: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    min_decode_length: Annotated[int, Field(ge=0, le=1000)] | None = None
    forbid_unk: bool | None = None
    no_repeat_ngram_size: Annotated[int, Field(ge=0, le=1000)] | None = None
    sampling: bool | None = None
    temperature: Annotated[float, Field(ge=0.001, le=1000, allow_inf_nan=False)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    top_p: Probability | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class PredictRequest(_Request):
    """Inputs to answer: texts or, for image models, images."""

    model: str | None = Field(None, description="The name of a model; the first one by default.")
    texts: list[str] | None = Field(None, min_length=1, description="The source texts.")
    features: list[str] | None = Field(
        None, description="The features of each text (V;PST), for a model that reads them."
    )
    images: list[str] | None = Field(
        None, min_length=1, description="Images (JPEG, PNG, WebP, GIF, BMP or TIFF) as base64."
    )
    options: SearchOptions = Field(default_factory=SearchOptions)
    attention: bool = Field(False, description="Return attention weights.")
    beam: bool = Field(False, description="Return the beam search as a tree.")
    truncate: bool = Field(False, description="Truncate texts that are too long for the model.")


class ScoreRequest(_Request):
    """Pairs of source and target to score."""

    model: str | None = Field(None, description="The name of a model; the first one by default.")
    sources: list[str] = Field(min_length=1)
    targets: list[str] = Field(min_length=1, description="A target for each source.")
    features: list[str] | None = Field(
        None, description="The features of each source, for a model that reads them."
    )
    attention: bool = Field(False, description="Return attention weights.")


class Hypothesis(BaseModel):
    """One output."""

    text: str
    tokens: list[str] = Field(description="Without SEQUENCE_END.")
    log_prob: float = Field(description="Natural logarithm of the probability.")
    score: float = Field(description="log_prob / length penalty + coverage penalty.")
    finished: bool = Field(description="Whether SEQUENCE_END was reached.")
    attention: list[list[float]] | None = Field(
        None, description="A row for each output token, a column for each source token."
    )


class BeamTree(BaseModel):
    """A beam search as a tree."""

    chosen: int = Field(description="The rank of the answer.")
    width: int
    nodes: list[list[str | float | None]] = Field(
        description="parent, step, beam index, token, log_prob, score, log_prob of the token, last"
        " step in the beam, rank among the results"
    )


class Answer(BaseModel):
    """The answer to one input. An empty text has no hypotheses.

    The outer fields repeat those of the best hypothesis.
    """

    source: str | None = Field(None, description="The text; absent for images.")
    features: str | None = Field(None, description="The features, if the model reads some.")
    origin: str | None = Field(None, description="lexicon or model, if the model has a lexicon.")
    source_tokens: list[str] = Field(
        description="With SEQUENCE_END, and with features if attention has columns for them; empty"
        " for images."
    )
    text: str
    tokens: list[str]
    log_prob: float | None = None
    score: float | None = None
    finished: bool | None = None
    attention: list[list[float]] | None = None
    attention_shape: list[int] | None = Field(
        None, description="Height and width of the positions that attention refers to, for images."
    )
    n_best: list[Hypothesis]
    beam: BeamTree | None = None


class PredictResponse(BaseModel):
    """The answers, in the order of the inputs."""

    model: str
    answers: list[Answer]


class Score(BaseModel):
    """The log-probability of one target given its source."""

    source: str
    features: str | None = Field(None, description="The features, if the model reads some.")
    source_tokens: list[str]
    target: str
    tokens: list[str] = Field(description="The tokens of the target, with SEQUENCE_END.")
    token_log_probs: list[float]
    log_prob: float
    attention: list[list[float]] | None = None


class ScoreResponse(BaseModel):
    """The scores, in the order of the pairs."""

    model: str
    scores: list[Score]


class Error(BaseModel):
    """Why a request was not answered, in one sentence."""

    error: str


class Health(BaseModel):
    """Whether the service answers requests."""

    status: str = Field(description="ok, or starting while programs are compiled")
