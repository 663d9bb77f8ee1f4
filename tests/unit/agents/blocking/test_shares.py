"""Shares of threads: nobody's blocking code keeps another user's from running."""

from functools import partial

import pytest

from netra.agents.blocking.shares import ThreadShares


class Begun:
    """What has begun, in order."""

    def __init__(self, shares: ThreadShares) -> None:
        self._shares = shares
        self.order: list[str] = []

    def take(self, user_id: str, times: int = 1) -> None:
        for _ in range(times):
            self._shares.take(user_id, lambda: self.order.append(user_id))


@pytest.fixture(autouse=True)
def few(settings):
    settings.NETRA_SYNC_THREADS, settings.NETRA_SYNC_THREADS_PER_USER = 4, 3


def test_take__one_user_has_a_share_alone():
    begun = Begun(shares := ThreadShares())
    begun.take("ann", 5)
    assert begun.order == ["ann"] * 3
    shares.give_back("ann")
    assert begun.order == ["ann"] * 4


def test_take__all_in_use__a_user_who_has_none_gets_one():
    begun = Begun(ThreadShares())
    begun.take("ann", 3)
    begun.take("bob", 2)
    begun.take("cid", 2)
    assert begun.order == ["ann"] * 3 + ["bob", "cid"]


def test_give_back__users_take_turns():
    begun = Begun(shares := ThreadShares())
    begun.take("ann", 3)
    begun.take("bob", 3)
    begun.take("ann", 3)
    del begun.order[:]
    for _ in range(2):
        shares.give_back("ann")
        shares.give_back("bob")
    assert sorted(begun.order[:2]) == ["ann", "bob"]


def test_take__who_came_later_does_not_overtake():
    begun = Begun(shares := ThreadShares())
    order: list[int] = []
    for number in range(6):
        shares.take("ann", partial(order.append, number))
    for _ in range(3):
        shares.give_back("ann")
    assert order == [0, 1, 2, 3, 4, 5]
    assert begun.order == []


def test_give_back__all__nothing_is_kept_of_anybody():
    begun = Begun(shares := ThreadShares())
    begun.take("ann", 5)
    for _ in range(5):
        shares.give_back("ann")
    assert begun.order == ["ann"] * 5
    assert (shares._used, shares._waiting) == ({}, {})
