"""Settings: typed for the reader and for the type checker, and read on access."""

from types import UnionType
from typing import Any, assert_type, get_args, get_origin, get_type_hints

import pytest
from django.test import override_settings

from netra.agents.conf import Defaults as RunDefaults
from netra.agents.conf import conf as run_conf
from websocket_core.conf import Defaults, conf
from websocket_core.conf.reader import READERS, Positive, SettingsReader, live


class Sizes:
    ROOMS: Positive[int] = 3
    METRES: float = 2.5


@pytest.fixture
def sizes():
    """A reader of this test's own settings, which no check asks afterwards."""
    before = list(READERS)
    yield live(Sizes)
    READERS[:] = before


def test_a_setting__is_read_when_it_is_asked_for(sizes: Sizes) -> None:
    assert (sizes.ROOMS, sizes.METRES) == (3, 2.5)
    with override_settings(NETRA_ROOMS=5):
        assert sizes.ROOMS == 5
    assert sizes.ROOMS == 3


def test_a_setting_that_there_is_not__is_no_attribute(sizes: Any) -> None:
    with override_settings(NETRA_DOORS=5), pytest.raises(AttributeError):
        _ = sizes.DOORS


@pytest.mark.parametrize(("values", "wrong"), [({"NETRA_ROOMS": 0}, ["ROOMS"]), ({"NETRA_METRES": 0.0}, [])])
def test_zero__is_a_fault_where_the_type_says_so(sizes: Any, values: dict[str, Any], wrong: list[str]) -> None:
    reader: SettingsReader = sizes
    with override_settings(**values):
        assert [name for name, _ in reader.faults()] == wrong


@pytest.mark.parametrize("defaults", [Defaults, RunDefaults])
def test_every_setting__has_a_type_and_a_default_of_it(defaults: type) -> None:
    types = get_type_hints(defaults)
    values = {name: value for name, value in vars(defaults).items() if name.isupper()}
    assert values.keys() == types.keys()
    for name, value in values.items():
        hint = types[name]
        kind = hint if isinstance(hint, UnionType) else get_origin(hint) or hint
        assert type(value) is kind or (isinstance(value, kind) and kind not in (int, float)), name
        assert Any not in (hint, *get_args(hint)), name


def test_the_type_checker__knows_the_types() -> None:
    """It is `make lint` that this fails."""
    assert_type(conf.MAX_FRAME_BYTES, int)
    assert_type(conf.RETENTION_DAYS, float)
    assert_type(conf.ALLOWED_ORIGINS, tuple[str, ...])
    assert_type(run_conf.EXECUTOR, str)
    assert_type(run_conf.AGENT_TIMEOUT, float)


def test_a_default_that_another_reader_has__is_refused() -> None:
    class Twice:
        DRAIN_SECONDS: float = 20.0

    with pytest.raises(ValueError, match="DRAIN_SECONDS"):
        live(Twice)
