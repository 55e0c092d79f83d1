import itertools

import pytest

from lenet.layers.windows import Windows

CASES = [
    Windows(size, kernel, stride, padding)
    for size, kernel, stride, padding in itertools.product((1, 4, 7), (1, 2, 5), (1, 2, 3, 6), (0, 1, 4))
    if size + 2 * padding >= kernel
]


@pytest.mark.parametrize("windows", CASES, ids=str)
def test_meetings_are_all_that_meet_and_no_others(windows):
    expected = {
        (position * windows.stride - windows.padding + offset, position, offset)
        for position, offset in itertools.product(range(windows.count), range(windows.kernel))
        if 0 <= position * windows.stride - windows.padding + offset < windows.size
    }
    found = [
        (
            meeting.input + number * windows.stride,
            meeting.position + number + nth,
            meeting.kernel_row - nth * windows.stride,
        )
        for meeting in windows.meetings()
        for number, nth in itertools.product(range(meeting.inputs), range(meeting.count))
    ]
    assert set(found) == expected
    assert len(found) == len(expected)
