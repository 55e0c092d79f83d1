"""What a run has to say to its store: a few kinds of operations, each small enough for one request or one line."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lenet.tracking.address import mask

# MLflow's limits: a batch holds at most 1,000 entities, 100 of them parameters.
METRICS_PER_BATCH = 900
PARAMS_PER_BATCH = 100
KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
DIGEST_LENGTH = 36
DATASET_NAME_LENGTH = 500
SOURCE_LENGTH = 65535

Status = Literal["FINISHED", "FAILED", "KILLED"]

Key = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]
Milliseconds = Annotated[int, Field(ge=0, lt=1 << 53)]
Step = Annotated[int, Field(ge=-(1 << 53), lt=1 << 53)]
Point = tuple[Key, float, Milliseconds, Step]
"""A metric's name and value, when it was recorded (since the epoch), and its step."""


class _Operation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metrics(_Operation):
    """Points of metrics; equal ones are kept once, so that they may be sent again."""

    op: Literal["metrics"] = "metrics"
    points: Annotated[list[Point], Field(min_length=1, max_length=METRICS_PER_BATCH)]


class Params(_Operation):
    """Parameters, as the texts that are kept."""

    op: Literal["params"] = "params"
    values: Annotated[dict[Key, Annotated[str, Field(max_length=PARAM_LENGTH)]], Field(max_length=PARAMS_PER_BATCH)]


class Tag(_Operation):
    """A tag, set or changed."""

    op: Literal["tag"] = "tag"
    key: Key
    value: Annotated[str, Field(max_length=TAG_LENGTH)]


class TagGone(_Operation):
    """A tag, removed."""

    op: Literal["tag gone"] = "tag gone"
    key: Key


class Input(_Operation):
    """The data set trained on; `source` is a JSON text of the kind of source `kind`."""

    op: Literal["input"] = "input"
    name: Annotated[str, Field(max_length=DATASET_NAME_LENGTH)]
    digest: Annotated[str, Field(max_length=DIGEST_LENGTH)]
    kind: Literal["http", "local"]
    source: Annotated[str, Field(max_length=SOURCE_LENGTH)]


class End(_Operation):
    """The end of the run, the last operation."""

    op: Literal["end"] = "end"
    status: Status
    time: Milliseconds


Operation = Metrics | Params | Tag | TagGone | Input | End
OPERATION: TypeAdapter[Operation] = TypeAdapter(Annotated[Operation, Field(discriminator="op")])
"""What checks an operation that was read."""


def as_text(value: object, limit: int) -> str:
    """Return `value` as a parameter or tag holds it, at most `limit` characters, passwords in addresses
    masked."""
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = mask(repr(value) if isinstance(value, float) else str(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"
