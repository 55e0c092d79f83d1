"""Addresses of stores are checked, made absolute, and printed without passwords."""

from pathlib import Path

import pytest
from mlflow.tracking import get_tracking_uri

from lenet.errors import UserError
from lenet.tracking.address import mask, sqlite_path, tracking_uri


class TestAddress:
    def test_the_default_is_the_one_of_a_bare_mlflow_ui(self, folder: Path) -> None:
        (folder / "mlruns" / "hydra" / "2026-11-23").mkdir(parents=True)
        assert tracking_uri() == f"sqlite:///{folder}/mlflow.db" == get_tracking_uri()

    def test_the_key_comes_before_the_environment_and_that_before_the_default(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
        assert tracking_uri() == "http://host:5000"
        assert tracking_uri("https://other") == "https://other"

    @pytest.mark.parametrize("name", ["runs.db", "a folder/größe.db"])
    def test_a_relative_file_is_made_absolute(self, folder: Path, name: str) -> None:
        assert tracking_uri(f"sqlite:///{name}") == f"sqlite:///{folder}/{name}"
        assert sqlite_path(tracking_uri(f"sqlite:///{name}")) == folder / name

    def test_an_absolute_file_stays(self, folder: Path) -> None:
        assert tracking_uri("sqlite:////a/b.db?timeout=9") == "sqlite:////a/b.db?timeout=9"
        assert sqlite_path("sqlite:////a/b.db?timeout=9") == Path("/a/b.db")

    @pytest.mark.parametrize(
        ("uri", "said"),
        [
            ("sqlit:///x.db", "Did you mean `sqlite`?"),
            ("mlruns", "is a folder or a file"),
            ("./mlruns", "is a folder or a file"),
            ("file:///tmp/mlruns", "is a folder or a file"),
            ("", "is a folder or a file"),
            ("sqlite://mlflow.db", "names no file"),
            ("sqlite://", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("sqlite:///runs.db?mode=ro", "asks for `mode`, which would have no effect"),
            ("sqlite:///file:runs.db?mode=ro&uri=true", "an address of SQLite's own kind"),
            ("http://", "names no host"),
            ("http://host:port", "names no host, or no valid port"),
            ("http://u:secret@host:99999", "names no host, or no valid port"),
            ("s3://bucket", "unknown scheme `s3`"),
        ],
    )
    def test_what_is_no_store_is_refused_with_what_is_accepted(self, folder: Path, uri: str, said: str) -> None:
        with pytest.raises(UserError) as caught:
            tracking_uri(uri)
        assert str(caught.value).startswith(f"tracking.uri: `{mask(uri)}`")
        assert said in str(caught.value)
        assert "Accepted: `sqlite:///FILE`" in str(caught.value)
        assert "secret" not in str(caught.value)

    def test_a_wrong_environment_variable_is_named(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
        with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI: `mlruns`"):
            tracking_uri()

    @pytest.mark.parametrize("name", ["a%20b", "a?b"])
    def test_a_folder_that_no_address_can_name_is_refused(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        (folder / name).mkdir()
        monkeypatch.chdir(folder / name)
        with pytest.raises(UserError, match=r"mlflow\.db` has a `[%?]` in it"):
            tracking_uri()

    def test_an_old_file_store_in_the_folder_is_refused(self, folder: Path) -> None:
        (folder / "mlruns" / "0").mkdir(parents=True)
        (folder / "mlruns" / "0" / "meta.yaml").touch()
        with pytest.raises(UserError, match="old file store"):
            tracking_uri()
        assert tracking_uri("sqlite:///mlflow.db")

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("http://user:secret@host:5000/a", "http://***@host:5000/a"),
            ("https://secret@host", "https://***@host"),
            ("postgresql+psycopg2://u:sec@ret@host/db", "postgresql+psycopg2://***@host/db"),
            ("mysql://u:sec/ret@host/db", "mysql://***@host/db"),
            (
                "postgresql://host/db?user=u&password=secret&x=1",
                "postgresql://host/db?user=u&password=***&x=1",
            ),
            ("uri: http://u:secret@a\nnext: 'http://u:secret@b'", "uri: http://***@a\nnext: 'http://***@b'"),
            ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
            ("http://host:5000/a@b", "http://host:5000/a@b"),
            ("write to a@b.org: it is 3:1", "write to a@b.org: it is 3:1"),
        ],
    )
    def test_users_and_passwords_are_masked_and_nothing_else(self, text: str, masked: str) -> None:
        assert mask(text) == masked
