"""The key of an installation that was given none."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured

from netra.project.configuration.secret_key import KEY_BYTES, load_or_create


def test_first_time__makes_a_long_key_only_its_owner_can_read(tmp_path):
    path = tmp_path / "var" / "secret_key"
    assert len(load_or_create(path)) >= KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["secret_key"]


def test_made_by_somebody_else__only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "secret_key"
    key = load_or_create(path)
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    assert load_or_create(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_second_time__same_key(tmp_path):
    path = tmp_path / "secret_key"
    assert load_or_create(path) == load_or_create(path)


def test_two_installations__two_keys(tmp_path):
    assert load_or_create(tmp_path / "a") != load_or_create(tmp_path / "b")


def test_many_at_once__agree_on_one_key(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_or_create(tmp_path / "secret_key"), range(64)))
    assert len(keys) == 1


def test_folder_cannot_be_made__says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImproperlyConfigured, match=r"Set the environment variable SECRET_KEY.*NETRA_DATA_DIR"):
        load_or_create(tmp_path / "file" / "secret_key")


@pytest.mark.parametrize("content", ["", "short\n"])
def test_unusable_file__is_refused(tmp_path, content):
    path = tmp_path / "secret_key"
    path.write_text(content)
    with pytest.raises(ImproperlyConfigured, match="Delete it to get a new one"):
        load_or_create(path)
