"""`python -m lenet.deliver` delivers once what is left of a run, and takes nothing for granted."""

import os
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from lenet.deliver import main as deliver
from lenet.errors import UserError
from lenet.tracking import delivery, journal, process
from lenet.tracking.journal import Journal, journals
from lenet.tracking.run import Run
from lenet.tracking.store import Store
from tests.tracking.helpers import artifacts
from tests.tracking.outage import Line, assert_all_there, edit_header, work


class TestTheCommand:
    @pytest.fixture
    def left(self, run: Run, line: Line) -> Path:
        """The folder of a run that ended while its store was away, which is back again."""
        line.cut()
        work(run)
        run.close("FINISHED")
        line.mend()
        return journals()[0]

    def test_it_delivers_what_a_run_left_with_its_status_and_its_end(
        self, left: Path, run: Run, client: MlflowClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        said = caplog.get_records("setup")[-1].getMessage()
        assert said.endswith("\npython -m lenet.deliver")
        assert str(left) in said
        ended = time.time() * 1000
        time.sleep(0.05)
        assert deliver([]) == 0
        assert_all_there(client, run, "FINISHED")
        assert client.get_run(run.id).info.end_time <= ended
        assert not journal.PLACE.exists()

    def test_nothing_to_deliver_is_no_fault(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert deliver([]) == 0
        assert "nothing is undelivered" in capsys.readouterr().out

    @pytest.mark.parametrize("calls", range(6))
    def test_broken_off_anywhere_and_given_again_it_doubles_nothing(
        self, calls: int, left: Path, run: Run, line: Line, client: MlflowClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line.cut(calls)
        assert deliver([str(left)]) == 1
        assert "refused" in capsys.readouterr().err
        line.mend()
        assert deliver([str(left)]) == 0
        assert_all_there(client, run, "FINISHED")

    def test_killed_before_it_could_remove_the_folder_it_doubles_nothing(
        self, left: Path, run: Run, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "discard", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
            assert deliver([]) == 130
        assert left.exists()
        assert deliver([]) == 0
        assert_all_there(client, run, "FINISHED")

    def test_a_run_that_was_found_gone_in_the_meantime_gets_its_true_end(
        self, left: Path, run: Run, store: Store, client: MlflowClient
    ) -> None:
        store.close_gone()
        assert client.get_run(run.id).info.status == "RUNNING", "its end is known here"
        client.set_terminated(run.id, "KILLED")
        assert deliver([]) == 0
        assert_all_there(client, run, "FINISHED")

    def test_of_a_process_that_was_killed_all_but_a_line_cut_short_is_delivered(
        self, run: Run, line: Line, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line.cut()
        work(run)
        line.mend()
        (folder,) = journals()
        with open(folder / journal.FILE, "a") as file:
            file.write('{"op": "tag", "key": "st')
        (folder / journal.ARTIFACTS).mkdir()
        (folder / journal.ARTIFACTS / ".last.npz.0123abcd").write_bytes(b"half")
        monkeypatch.setattr(process, "process_start", lambda pid: None)
        assert deliver([]) == 0
        assert_all_there(client, run, "RUNNING")
        assert not list(artifacts(client, run).rglob(".*"))
        assert not folder.exists()

    def test_a_run_at_work_delivers_by_itself(
        self, run: Run, line: Line, client: MlflowClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line.cut()
        work(run)
        line.mend()
        (folder,) = journals()
        assert deliver([]) == 0
        assert "is still being written" in capsys.readouterr().out
        assert deliver([str(folder)]) == 2
        assert "loss" not in client.get_run(run.id).data.metrics
        edit_header(folder, host="elsewhere")
        assert deliver([str(folder)]) == 2, "of another host it is known by the journal's age alone"
        os.utime(folder / journal.FILE, (1, 1))
        assert deliver([str(folder)]) == 2
        assert "taken up by another process" in capsys.readouterr().err

    def test_the_store_must_be_the_run_s_unless_another_is_named(
        self, left: Path, run: Run, uri: str, client: MlflowClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        edit_header(left, uri="http://***@host")
        assert deliver([]) == 2
        errors = capsys.readouterr().err
        assert "http://***@host" in errors
        assert "tracking.uri=" in errors
        assert "loss" not in client.get_run(run.id).data.metrics
        assert deliver([f"tracking.uri={uri}"]) == 0
        assert_all_there(client, run, "FINISHED")

    def test_the_command_that_is_named_is_all_that_it_needs(self, uri: str, folder: Path) -> None:
        assert delivery.how_to_deliver(uri) == "python -m lenet.deliver"
        asked = "python -m lenet.deliver 'tracking.uri=http://***@host'"
        assert delivery.how_to_deliver("http://me:secret@host") == asked

    def test_of_a_run_that_another_process_has_taken_up_nothing_is_delivered(
        self, left: Path, run: Run, client: MlflowClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        client.set_tag(run.id, process.START, "another")
        assert deliver([]) == 2
        assert "taken up by another process" in capsys.readouterr().err
        assert left.exists()

    def test_a_run_is_not_taken_up_before_all_is_delivered(self, left: Path, run: Run, store: Store, uri: str) -> None:
        from lenet.tracking.finding import Finder

        with pytest.raises(UserError, match=r"not yet delivered.*python -m lenet\.deliver"):
            store.reopen(Finder(uri).find(run.id))

    def test_one_that_cannot_be_delivered_keeps_no_other_from_it(
        self, left: Path, run: Run, client: MlflowClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        damaged = left.with_name("a")
        damaged.mkdir()
        (damaged / journal.FILE).write_text("{}\n")
        assert deliver([]) == 2
        assert "a/journal.jsonl, line 1, is not the header" in capsys.readouterr().err
        assert_all_there(client, run, "FINISHED")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["nowhere"], "nowhere is no folder"),
            (["."], "holds no journal.jsonl"),
            (["tracking.url=x"], "Did you mean `tracking.uri`"),
        ],
    )
    def test_what_is_asked_for_wrongly_is_said(
        self, words: list[str], message: str, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert deliver(words) == 2
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize(
        "line_",
        [
            "not JSON",
            "[1]",
            '{"op": "exec", "code": "1"}',
            '{"op": "tag", "key": "a", "value": 1}',
            '{"op": "tag", "key": "a", "value": "1", "more": 1}',
            '{"op": "metrics", "points": [["m", "x", 1, 1]]}',
            '{"op": "metrics", "points": [["m", 1.0, 99999999999999999999, 1]]}',
            '{"op": "end", "status": "RUNNING", "time": 1}',
            '{"op": "tag", "key": "a", "value": "' + "x" * 8001 + '"}',
            "[" * 100_000,
        ],
    )
    def test_a_damaged_journal_is_told_with_its_place_and_nothing_of_it_is_sent(
        self, line_: str, left: Path, run: Run, client: MlflowClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = left / journal.FILE
        file.write_text(file.read_text() + line_ + "\n")
        assert deliver([]) == 2
        errors = capsys.readouterr().err
        assert f"{file}, byte " in errors
        assert "Traceback" not in errors
        assert "loss" not in client.get_run(run.id).data.metrics

    def test_a_journal_does_not_go_on_after_the_end_of_its_run(
        self, left: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = left / journal.FILE
        file.write_text(file.read_text() + '{"op": "tag", "key": "a", "value": "1"}\n')
        assert deliver([]) == 2
        assert "goes on after the end" in capsys.readouterr().err

    def test_a_line_without_end_is_not_read_whole(
        self, left: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(journal, "MOST_LINE", 1000)
        file = left / journal.FILE
        file.write_text(file.read_text() + "x" * 2000)
        assert deliver([]) == 2
        assert "a line of more than 1,000 bytes" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", ["link", "linked folder", "linked root", "pipe", "large"])
    def test_only_plain_files_of_the_folder_are_artifacts(
        self, kind: str, left: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "secret").mkdir()
        (folder / "secret/key").write_text("secret")
        root = left / journal.ARTIFACTS
        if kind != "linked root":
            root.mkdir()
        match kind:
            case "link":
                (root / "key").symlink_to(folder / "secret/key")
            case "linked folder":
                (root / "keys").symlink_to(folder / "secret")
            case "linked root":
                root.symlink_to(folder / "secret")
            case "pipe":
                os.mkfifo(root / "pipe")
            case "large":
                monkeypatch.setattr(journal, "MOST_ARTIFACT", 10)
                (root / "large").write_bytes(b"x" * 11)
        assert deliver([]) == 2
        assert "Accepted: " in capsys.readouterr().err
        assert left.exists()
