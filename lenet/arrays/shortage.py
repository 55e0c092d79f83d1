"""Memory that runs out: said with what it was asked for, and with what to try."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from lenet.arrays.backend import Backend
from lenet.arrays.gpu import is_shortage
from lenet.errors import Failure


class OutOfMemory(Failure):
    """More memory is needed than there is."""


def memory_for_steps(backend: Backend, batch: int) -> AbstractContextManager[None]:
    """Explain memory that runs out where a network takes steps of `batch` images, as `memory_errors_explained` does."""
    remedies = ["a smaller trainer.batch_size", "a smaller network"]
    if backend.dtype != np.float32:
        remedies.append("backend.dtype=float32")
    return memory_errors_explained(backend, f"trainer.batch_size={batch}", remedies)


@contextmanager
def memory_errors_explained(backend: Backend, asked: str, remedies: Sequence[str]) -> Iterator[None]:
    """Turn what is raised where memory runs out into `OutOfMemory`.

    `asked` says for what it was needed, `remedies` what may help; on a GPU, the other backend is one more.
    """
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        where, look = ("the GPU", "`nvidia-smi`") if backend.gpu else ("this machine", "`top`")
        *others, last = [*remedies, *(["backend=numpy"] if backend.gpu else [])]
        tries = f"{', '.join(others)} or {last}" if others else last
        raise OutOfMemory(
            f"{where} has too little memory for {asked} with backend.dtype={backend.dtype} ({error}). Try {tries}; "
            f"{look} shows what else takes memory there."
        ) from error
