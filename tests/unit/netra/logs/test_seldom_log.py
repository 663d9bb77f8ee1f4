"""Warnings that strangers can cause: written seldom, counted always."""

import logging

from netra.logs.seldom_log import SeldomLog


def test_each_kind__once_a_minute__with_the_number_of_the_others(caplog) -> None:
    now = 5.0
    log = SeldomLog(logging.getLogger("netra.test"), lambda: now)
    for number in range(50):
        log.warning("refused %s", number)
        log.warning("cut %s", number)
    assert [record.getMessage() for record in caplog.records] == ["refused 0", "cut 0"]
    now += 61
    log.warning("refused %s", "again")
    log.warning("refused %s", "and again")
    assert caplog.records[-1].getMessage() == "refused again (49 more like this)"
    assert len(caplog.records) == 3
    log.warning("cut %s", "again")  # another kind's line has not forgotten how many there were
    assert caplog.records[-1].getMessage() == "cut again (49 more like this)"
