"""Delivering afterwards what a run could not: its journal, to the store that it was meant for."""

from pathlib import Path

from lenet.errors import Failure, UserError
from lenet.tracking import process
from lenet.tracking.address import mask, tracking_uri
from lenet.tracking.failures import TrackingError, UnreachableError, translated
from lenet.tracking.journal import LINES, PLACE, Journal
from lenet.tracking.opening import reach_store, turn
from lenet.tracking.operations import perform


def undelivered() -> list[Path]:
    """Return the folders of the journals in the working directory."""
    return sorted(path.parent for path in PLACE.glob(f"*/{LINES}"))


def redeliver(folder: Path, uri: str | None) -> str:
    """Deliver a journal and remove it; return what was delivered, in a line. `uri` names the store (None: its own).

    Raises `UserError` where there is no journal, where its run still lives or has been taken up again, where the store
    is not known or has no such run; `Failure` where the store does not take everything. Then the journal stays, and can
    be delivered again.
    """
    if not (folder / LINES).is_file():
        raise UserError(f"{folder} holds no {LINES}: it is not the folder of a run that could not be delivered.")
    journal = Journal(folder)
    owner = journal.owner()
    run_id, name = owner["run"], owner.get("name", "")
    called = f"run `{name}` ({run_id})"
    if process.identity()[process.HOST] == owner.get(process.HOST) and process.lives(owner):
        raise UserError(f"{called} is still written by process {owner[process.PID]}, which delivers it.")
    with turn(str(folder.resolve())):
        client = reach_store(_store(owner, uri, folder))
        try:
            with translated():
                tags = client.get_run(run_id).data.tags
            if any(tags.get(key) != owner.get(key) for key in process.KEYS):
                raise UserError(f"{called} was taken up by another process since: {folder} is out of date.")
            count = 0
            for _, operation, content in journal.operations():
                perform(client, run_id, operation, content)
                count += 1
        except UnreachableError as error:
            raise Failure(f"{called}: the store does not answer ({error}); {folder} is kept.") from error
        except TrackingError as error:
            raise Failure(f"{called}: the store refuses it ({error}); {folder} is kept.") from error
        except (TypeError, ValueError, LookupError, OSError) as error:
            raise UserError(f"{folder} is damaged: {error}. It is kept.") from error
        journal.remove()
    return f"{called}: delivered, {count} messages"


def _store(owner: dict[str, str], uri: str | None, folder: Path) -> str:
    """Return the address of the store that a journal is for, with the password that the journal does not hold."""
    told = owner.get("store", "")
    if uri is not None:
        return tracking_uri(uri)
    if "***" not in told:
        return tracking_uri(told)
    known = tracking_uri()
    if mask(known) != told:
        raise UserError(
            f"{folder} is for the store `{told}`, whose password is needed: set MLFLOW_TRACKING_URI or tracking.uri=… "
            f"(MLFLOW_TRACKING_URI and the default mean `{mask(known)}`)."
        )
    return known
