import os
import signal

import pytest

from lenet.common.signals import StopRequests, sigterm_like_ctrl_c


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_waits_to_be_asked_for(number):
    with pytest.raises(KeyboardInterrupt), StopRequests() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        assert stop.requested
        stop.check()
        pytest.fail("check did not raise")


def test_a_second_signal_stops_at_once():
    with pytest.raises(KeyboardInterrupt), StopRequests():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal did not stop")


def test_a_signal_that_nobody_asked_for_is_raised_on_leaving():
    reached = False
    with pytest.raises(KeyboardInterrupt), StopRequests():
        os.kill(os.getpid(), signal.SIGINT)
        reached = True
    assert reached


def test_what_may_take_long_is_stopped_at_once():
    with pytest.raises(KeyboardInterrupt), StopRequests() as stop, stop.at_once():
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the signal did not stop")


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with sigterm_like_ctrl_c(), StopRequests():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
