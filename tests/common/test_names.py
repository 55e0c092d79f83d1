"""Names in little room: different ones stay different, and say as much as there is room for."""

from itertools import product

import pytest

from lenet.common.names import legible, shortened, shortened_or_cut

RATES = [f"optimizer={o},lr={lr},seed={s}" for o, lr, s in product(("sgd", "momentum"), ("0.005", "0.02"), (0, 1, 2))]

ALIKE = [f"{end}{'x' * 20}{middle}{'x' * 20}{end}" for end, middle in ((1, 1), (1, 2), (2, 1))]
"""Names that differ at both ends or, far from them, in their middle."""


@pytest.mark.parametrize(
    ("widest", "of_the_longest"),
    [
        (34, "optimizer=momentum,lr=0.005,seed=0"),
        (33, "optimize=momentum,lr=0.005,seed=0"),
        (29, "opti=momentum,lr=0.005,seed=0"),
        (28, "opt=momentum,lr=0.005,see=0"),
        (22, "o=momentum,l=0.005,s=0"),
        (21, "momentum,0.005,0"),
    ],
)
def test_keys_are_cut_alike_in_all_names_and_values_stay(widest, of_the_longest):
    told = shortened(RATES, widest)
    assert told["optimizer=momentum,lr=0.005,seed=0"] == of_the_longest
    assert len(set(told.values())) == len(RATES)
    assert max(map(len, told.values())) <= widest


def test_keys_of_fewer_than_four_letters_are_not_legible():
    assert legible(RATES, 29) == shortened(RATES, 29)
    assert legible(RATES, 28) is None


@pytest.mark.parametrize(
    ("names", "widest", "told"),
    [
        (["a name that is long enough"], 20, ["a name th…ong enough"]),
        (["one, of many words", "another, of many words"], 12, ["one…", "another…"]),
        (["data=a/long/folder/1.npz", "data=a/long/folder/2.npz"], 12, ["…1.npz", "…2.npz"]),
        (["same", "same"], 4, ["same", "same"]),
        (
            [f"data=a/long/folder,lr={rate},seed=0" for rate in ("0.1", "0.01", "0.001")],
            12,
            ["…0.1…", "…0.01…", "…0.001…"],
        ),
        ([f"data=a/long/folder,epochs={count}" for count in (1, 10, 105)], 12, ["…1", "…10", "…105"]),
        (["data=a/long/folder", "data=a/long/folder,seed=1"], 14, ["…folder", "…folder,seed=1"]),
        (["x" * 9 + "1" * 20 + "z" * 9, "x" * 9 + "2" * 20 + "z" * 9], 8, None),
        (ALIKE, 12, None),
        ([], 12, []),
    ],
)
def test_what_names_share_is_left_out_where_cutting_their_middle_would_make_them_alike(names, widest, told):
    found = shortened(names, widest)
    assert told == (found if found is None else [found[name] for name in names])


def test_names_that_cannot_be_told_apart_are_cut_in_their_middle():
    assert set(shortened_or_cut(ALIKE, 5).values()) == {"1x…x1", "2x…x2"}
