"""Reading of environment variables."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from netra.project.configuration.environment import Environment


class Defaults:
    RETRIES: int = 3
    SECONDS: float = 2.5
    STRICT: bool = False
    NAME: str = "plain"
    ORIGINS: tuple[str, ...] = ()
    _HIDDEN: int = 1
    lower: int = 1


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "yes", " on "])
def test_flag__words_for_yes(word):
    assert Environment({"DEBUG": word}).flag("DEBUG") is True


@pytest.mark.parametrize("word", ["0", "false", "False", "no", "off"])
def test_flag__words_for_no(word):
    assert Environment({"DEBUG": word}).flag("DEBUG", default=True) is False


@pytest.mark.parametrize("variables", [{}, {"DEBUG": ""}, {"DEBUG": "  "}])
def test_flag__absent_or_blank__is_the_default(variables):
    assert Environment(variables).flag("DEBUG") is False
    assert Environment(variables).flag("DEBUG", default=True) is True


def test_flag__other_word__is_refused_by_name():
    with pytest.raises(ImproperlyConfigured, match=r"DEBUG must be one of 1, true.*'maybe'"):
        Environment({"DEBUG": "maybe"}).flag("DEBUG")


def test_items__commas_and_blanks():
    assert Environment({"HOSTS": " a.example , ,b.example,"}).items("HOSTS") == ["a.example", "b.example"]


def test_items__absent__is_a_fresh_copy_of_the_default():
    env = Environment({})
    env.items("HOSTS", ("a",)).append("b")
    assert env.items("HOSTS", ("a",)) == ["a"]


@pytest.mark.parametrize("text", ["ten", "1.5", "1e3", "-1"])
def test_integer__not_a_count__is_refused_by_name(text):
    with pytest.raises(ImproperlyConfigured, match="POOL"):
        Environment({"POOL": text}).integer("POOL", 20)


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "-0.1"])
def test_number__not_seconds__is_refused_by_name(text):
    with pytest.raises(ImproperlyConfigured, match="DRAIN"):
        Environment({"DRAIN": text}).number("DRAIN", 10.0)


def test_choice__other_word__names_the_allowed_ones():
    with pytest.raises(ImproperlyConfigured, match="EXECUTOR must be one of inline, procrastinate; it is 'celery'"):
        Environment({"EXECUTOR": "celery"}).choice("EXECUTOR", "inline", ("inline", "procrastinate"))


def test_overrides__types_follow_the_defaults():
    env = Environment(
        {
            "NETRA_RETRIES": "5",
            "NETRA_SECONDS": "0.5",
            "NETRA_STRICT": "yes",
            "NETRA_NAME": "other",
            "NETRA_ORIGINS": "https://a.example, https://b.example",
            "NETRA__HIDDEN": "9",
            "NETRA_lower": "9",
            "NETRA_UNKNOWN": "9",
        }
    )
    assert env.overrides(Defaults) == {
        "NETRA_RETRIES": 5,
        "NETRA_SECONDS": 0.5,
        "NETRA_STRICT": True,
        "NETRA_NAME": "other",
        "NETRA_ORIGINS": ("https://a.example", "https://b.example"),
    }


def test_overrides__nothing_named__nothing_found():
    assert Environment({"NETRA_RETRIES": ""}).overrides(Defaults) == {}


def test_overrides__wrong_type__is_refused_by_name():
    with pytest.raises(ImproperlyConfigured, match="NETRA_RETRIES"):
        Environment({"NETRA_RETRIES": "many"}).overrides(Defaults)
