"""Memory that runs out: said with what it was asked for, and with what to try."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lenet.arrays.backend import Backend
from lenet.errors import Failure

OF_CUDA = ("CUBLAS_STATUS_ALLOC_FAILED", "cudaErrorMemoryAllocation")
"""What CUDA's libraries say where it is they that get none; CuPy's own error is a `MemoryError`."""


class OutOfMemory(Failure):
    """More memory is needed than there is."""


@contextmanager
def memory_errors_explained(backend: Backend, asked: str, remedies: Sequence[str]) -> Iterator[None]:
    """Turn what is raised where memory runs out into `OutOfMemory`.

    `asked` says for what it was needed, `remedies` what may help; on a GPU, the other backend is one more.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, MemoryError) and not any(name in str(error) for name in OF_CUDA):
            raise
        where, look = ("the GPU", "`nvidia-smi`") if backend.gpu else ("this machine", "`top`")
        *others, last = [*remedies, *(["backend=numpy"] if backend.gpu else [])]
        tries = f"{', '.join(others)} or {last}" if others else last
        raise OutOfMemory(
            f"{where} has too little memory for {asked} with backend.dtype={backend.dtype} ({error}). Try {tries}; "
            f"{look} shows what else takes memory there."
        ) from error
