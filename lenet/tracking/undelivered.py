"""Delivering what earlier processes left undelivered, each folder whole and then removed."""

from collections.abc import Collection, Iterator
from pathlib import Path

from mlflow.tracking import MlflowClient

from lenet.common.files import remove_unfinished
from lenet.errors import UserError
from lenet.tracking.address import mask
from lenet.tracking.delivery import deliver
from lenet.tracking.failures import defaults, translated
from lenet.tracking.gone import farewell
from lenet.tracking.journal import ARTIFACTS, Journal, journals
from lenet.tracking.opening import turn
from lenet.tracking.operations import TagGone
from lenet.tracking.sender import Sender
from lenet.tracking.tags import ERROR

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
"""Nothing waits for this but whoever asked for it."""


class StillWritten(UserError):
    """The run's process lives and delivers it itself."""


def deliver_folder(client: MlflowClient, uri: str, folder: Path, elsewhere: bool = False) -> str:
    """Deliver what a folder holds to the store at `uri`, remove it, and return what was delivered.

    With `elsewhere`, the store may have another address than that of which the folder tells. Raises UserError, with
    nothing sent, where the folder is damaged, or is not, or no longer, to be delivered; TrackingError where the store
    does not take it, which may be tried again.
    """
    with turn(str(folder.resolve())):
        journal = Journal.open(folder)
        header = journal.header
        if not elsewhere and mask(uri) != header.uri:
            raise UserError(
                f"{folder} is to be delivered to {header.uri}, and the store is {mask(uri)}: "
                "say which, and with which password, by tracking.uri=ADDRESS."
            )
        is_being_written = journal.is_being_written()  # asked first: it may end in between
        ended = journal.is_ended()
        if not ended and is_being_written:
            raise StillWritten(
                f"`{header.name}` ({header.run_id}) is still being written by process {header.pid} on {header.host}, "
                f"which delivers what is in {folder}: wait for it, or stop it."
            )
        with defaults(PATIENCE), translated():
            run = client.get_run(header.run_id)
        tags = run.data.tags
        if run.info.lifecycle_stage != "active":
            raise UserError(f"`{header.name}` ({header.run_id}) was deleted: remove {folder}, or restore the run.")
        if any(tags.get(key) != value for key, value in header.writer.items()):
            raise UserError(
                f"`{header.name}` ({header.run_id}) was taken up by another process since {folder} was written, or is "
                "another run: what it holds would not fit. Remove it."
            )
        remove_unfinished(folder / ARTIFACTS)
        sender = Sender(client, header.run_id, run.info.artifact_uri)
        with defaults(PATIENCE):
            if ended and tags.get(ERROR) == farewell(tags):  # by a process that found this one gone
                sender.send(TagGone(key=ERROR))
            points, artifacts = deliver(journal, sender)
        journal.discard()
    return f"{header.name} ({header.run_id}): {points:,} points of metrics and {artifacts} artifacts"


def deliver_ended(client: MlflowClient, uri: str, run_ids: Collection[str]) -> bool:
    """Deliver what is kept here of those of these runs that have ended; say whether there was any.

    Raises as `deliver_folder` does.
    """
    found = [folder for folder in folders_of(run_ids) if Journal.open(folder).is_ended()]
    for folder in found:
        deliver_folder(client, uri, folder)
    return bool(found)


def folders_of(run_ids: Collection[str]) -> Iterator[Path]:
    """Yield the folders here that are named as those of these runs are."""
    return (folder for folder in journals() if folder.name.partition(".")[0] in run_ids)
