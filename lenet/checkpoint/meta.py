"""What a checkpoint says beside its arrays, its `meta`, read by pydantic's models."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from lenet.checkpoint.form import Checkpoint
from lenet.errors import UserError


@contextmanager
def reading(saved: Checkpoint, *part: str) -> Iterator[None]:
    """Turn what a model finds wrong into a `UserError` that names the checkpoint and the key; `part` is read within."""
    try:
        yield
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, (*part, *problem["loc"])))
        raise UserError(f"checkpoint {saved.path}: `meta` cannot be used: `{where}`: {problem['msg']}") from None
