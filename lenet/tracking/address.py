"""Which store: the address of an MLflow store, checked, made absolute, and fit to be printed."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lenet.errors import UserError, did_you_mean

DEFAULT = "sqlite:///mlflow.db"
SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
ACCEPTED = (
    "`sqlite:///FILE` (relative) or `sqlite:////FILE` (absolute), `http://HOST:PORT`, `https://HOST`, "
    "`postgresql://…`, `mysql://…` or `mssql://…`"
)

SQLITE_OPTIONS = ("timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
"""What may follow the `?` of an SQLite file's address; SQLAlchemy ignores others, such as `mode`, with a warning."""

# Up to the last @ of the authority. The second form is a password with an unescaped slash: what stands before
# the slash then looks like host:port with a port that is no number.
_USER = re.compile(r"(?<=://)(?:[^/?#\s'\"]*@|[^/?#\s:@]*:(?!\d+(?:[/?#\s'\"]|$))[^\s'\"]*@)")
_SECRET = re.compile(r"(?i)([?&][\w-]*(?:password|passwd|pwd|token|secret)[\w-]*=)[^&\s'\"]+")


_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_LEAST = 4
"""Characters of a password in a variable from which on it is looked for: a shorter one is part of many words."""


def mask(text: str) -> str:
    """Return `text` with `***` in place of users and passwords in addresses, and of what MLflow's variables hold."""
    for secret in (os.environ.get(name, "").strip() for name in _VARIABLES):
        if len(secret) >= _LEAST:
            text = text.replace(secret, "***")
    return _SECRET.sub(r"\1***", _USER.sub("***@", text))


def masked(node: Any) -> Any:
    """Return nested mappings and lists with every text in them masked."""
    if isinstance(node, Mapping):
        return {key: masked(value) for key, value in node.items()}
    if isinstance(node, list):
        return [masked(value) for value in node]
    return mask(node) if isinstance(node, str) else node


def tracking_uri(explicit: str | None = None) -> str:
    """Return the store's address: `explicit`, else `MLFLOW_TRACKING_URI`, else MLflow's own default.

    The default is the one that a bare `mlflow ui` in this folder has. An SQLite file is made absolute, so
    that a later change of the working directory changes nothing. Raises UserError for what is not an address
    of a store.
    """
    if explicit is not None:
        return _checked("tracking.uri", explicit)
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return _checked("MLFLOW_TRACKING_URI", uri)
    if _has_file_store(Path("mlruns")):
        # MLflow then chooses this folder as its default, and refuses it.
        raise UserError(
            "tracking.uri: ./mlruns holds runs of MLflow's old file store, which MLflow no longer opens. "
            "Move it away, convert it with `mlflow migrate-filestore`, or name another store: "
            f"`tracking.uri={DEFAULT}`."
        )
    return _checked("tracking.uri", DEFAULT)


def sqlite_path(uri: str) -> Path | None:
    """Return the file of an SQLite store's checked address; None for any other kind of store."""
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]) if uri.startswith("sqlite:") else None


def _checked(key: str, uri: str) -> str:
    scheme, separator, rest = uri.strip().partition("://")
    kind = scheme.lower().partition("+")[0]
    if separator and kind not in ("sqlite", "file") and _is_ambiguous(rest):
        # Where the password ends is anyone's guess then, and so is what an error message would hold of it.
        raise UserError(
            f"{key}: an address `{mask(scheme)}://…` with a space, a quote or an `@` that does not end a password. "
            "Write such characters in users and passwords percent-encoded (`@` as %40, `/` as %2F, a space as %20)."
        )
    if not separator or kind == "file":
        shown = mask(uri) if separator else re.sub(r"(?s).*@", "***@", uri)
        raise UserError(
            f"{key}: `{shown}` is a folder or a file (MLflow no longer opens its old file store), "
            f"not a store's address. Accepted: {ACCEPTED}."
        )
    if kind not in (*SERVERS, *DATABASES):
        hint = did_you_mean(kind, (*SERVERS, *DATABASES))
        raise UserError(f"{key}: `{mask(uri)}` has an unknown scheme `{scheme}`.{hint} Accepted: {ACCEPTED}.")
    if kind == "sqlite":
        return _absolute(key, uri, scheme, rest)
    if kind in SERVERS and not _has_host(uri.strip()):
        raise UserError(f"{key}: `{mask(uri)}` names no host, or no valid port. Accepted: {ACCEPTED}.")
    return f"{scheme.lower()}://{rest}"


def _is_ambiguous(rest: str) -> bool:
    """Say whether what follows `://` has characters that belong percent-encoded: one `@` at most, before the host."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    return bool(re.search(r"[\s'\"`<>\\\x00-\x1f]", rest)) or rest.count("@") > 1 or "@" in rest[len(authority) :]


def _absolute(key: str, uri: str, scheme: str, rest: str) -> str:
    slash, path, query = rest[:1], *rest[1:].partition("?")[::2]
    if scheme.lower() != "sqlite" or slash != "/" or path in ("", ":memory:"):
        raise UserError(
            f"{key}: `{mask(uri)}` names no file (three slashes and a relative path; four for an absolute one; "
            f"no other driver; a store in memory would lose its runs). Accepted: {ACCEPTED}."
        )
    if path.startswith("file:"):
        raise UserError(
            f"{key}: `{mask(uri)}` is an address of SQLite's own kind, not taken here. Accepted: {ACCEPTED}."
        )
    options = [option.partition("=")[0] for option in query.split("&")] if query else []
    if unknown := [option for option in options if option not in SQLITE_OPTIONS]:
        raise UserError(
            f"{key}: `{mask(uri)}` asks for `{unknown[0]}`, which would have no effect. Accepted: {ACCEPTED}; "
            f"for SQLite then `?` and {', '.join(SQLITE_OPTIONS)}."
        )
    absolute = os.path.abspath(path)
    if odd := next((character for character in "%?" if character in absolute), None):
        # SQLAlchemy decodes percent signs from 2.1 on, and MLflow encodes them or not: no spelling suits all.
        raise UserError(f"{key}: the store's path `{absolute}` has a `{odd}` in it, which cannot be addressed.")
    return f"sqlite:///{absolute}" + (f"?{query}" if query else "")


def _has_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or brackets that do not close
        return False


def _has_file_store(folder: Path) -> bool:
    return any(meta.parent.name.isdigit() for meta in folder.glob("[0-9]*/meta.yaml"))
