"""What runs have stored beside the database: their artifacts, how large they are, and what deleted runs still hold."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from lenet.tracking.failures import translated
from lenet.tracking.record import PAGE
from lenet.tracking.sender import local_folder, within


def folder(client: MlflowClient, run_id: str) -> Path | None:
    """Return the folder of a run's artifacts, or None where it is not on this machine."""
    with translated():
        return local_folder(str(client.get_run(run_id).info.artifact_uri))


@contextmanager
def opened(client: MlflowClient, run_id: str, name: str) -> Iterator[Path | None]:
    """Give the file of an artifact, fetched where it is not on this machine; None where there is none.

    Raises TrackingError where it cannot be fetched.
    """
    if here := folder(client, run_id):
        path = within(here, name)
        yield path if path.is_file() else None
        return
    with tempfile.TemporaryDirectory() as place:
        with translated():
            parent = name.rpartition("/")[0]
            there = any(each.path == name for each in client.list_artifacts(run_id, parent or None))
            fetched = Path(client.download_artifacts(run_id, name, place)) if there else None
        yield fetched


def sizes(client: MlflowClient, run_id: str) -> dict[str, int] | None:
    """Return the bytes of each artifact of a run, deleted or not, by its path; None where its folder is not here.

    Artifacts that are no files of this machine are listed through MLflow. Raises TrackingError where that fails.
    """
    here = folder(client, run_id)
    with translated():
        if here is None:
            return _listed(client, run_id)
        return _walked(here) if here.is_dir() else None


def deleted_runs(client: MlflowClient) -> list[str]:
    """Return the ids of all runs that are deleted, also those of deleted experiments: `mlflow gc` removes them."""
    ids: list[str] = []
    token = None
    with translated():
        experiments = [each.experiment_id for each in client.search_experiments(ViewType.ALL)]
        while experiments:
            page = client.search_runs(experiments, "", ViewType.DELETED_ONLY, PAGE, page_token=token)
            ids += [run.info.run_id for run in page]
            token = page.token
            if not token:
                break
    return ids


def _walked(folder: Path) -> dict[str, int]:
    def gone(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    found = {}
    for place, _, names in os.walk(folder, onerror=gone):
        for path in (Path(place, name) for name in names):
            try:
                found[path.relative_to(folder).as_posix()] = path.lstat().st_size
            except FileNotFoundError:  # a run that is at work has replaced it
                continue
    return found


def _listed(client: MlflowClient, run_id: str) -> dict[str, int]:
    found, folders = {}, [""]
    while folders:
        for each in client.list_artifacts(run_id, folders.pop() or None):
            if each.is_dir:
                folders.append(each.path)
            else:
                found[each.path] = int(each.file_size or 0)
    return found
