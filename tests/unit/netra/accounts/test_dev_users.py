"""The development users of `make run`."""

import socket
import stat

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from netra.project.accounts import dev_users

pytestmark = pytest.mark.django_db


def test_first_time__two_users_with_their_own_random_passwords(tmp_path):
    dev, admin = dev_users.ensure(tmp_path / "users.json")
    assert dev.password
    assert admin.password
    assert dev.password != admin.password
    assert authenticate(username="dev", password=dev.password)
    assert authenticate(username="admin", password=admin.password)
    assert not User.objects.get(username="dev").is_staff
    assert User.objects.get(username="admin").is_superuser
    assert stat.S_IMODE((tmp_path / "users.json").stat().st_mode) == 0o600


def test_second_time__same_passwords_and_no_more_users(tmp_path):
    first = dev_users.ensure(tmp_path / "users.json")
    assert dev_users.ensure(tmp_path / "users.json") == first
    assert User.objects.count() == 2


def test_new_database__kept_passwords_work_there(tmp_path):
    (dev, _) = dev_users.ensure(tmp_path / "users.json")
    User.objects.all().delete()
    assert dev_users.ensure(tmp_path / "users.json")[0] == dev
    assert authenticate(username="dev", password=dev.password)


def test_password_changed_by_its_owner__is_neither_told_nor_reset(tmp_path):
    dev_users.ensure(tmp_path / "users.json")
    user = User.objects.get(username="dev")
    user.set_password("my own choice")
    user.save()
    assert dev_users.ensure(tmp_path / "users.json")[0].password is None
    assert authenticate(username="dev", password="my own choice")


def test_user_of_that_name_exists__is_left_alone(tmp_path):
    User.objects.create_user("admin", password="mine")
    admin = dev_users.ensure(tmp_path / "users.json")[1]
    assert admin.password is None
    assert not User.objects.get(username="admin").is_superuser


def test_dev_setup__prints_address_and_passwords__twice_the_same(tmp_path, settings, capsys):
    settings.DATA_DIR = tmp_path
    call_command("dev_setup", url="http://127.0.0.1:9999/")
    first = capsys.readouterr().out
    dev, admin = dev_users.ensure(tmp_path / "dev_users.json")
    assert "http://127.0.0.1:9999/\n" in first
    assert str(dev.password) in first
    assert str(admin.password) in first
    call_command("dev_setup", url="http://127.0.0.1:9999/")
    assert capsys.readouterr().out == first


def test_dev_setup__a_port_that_is_taken_is_said_before_an_address(tmp_path, settings, capsys):
    settings.DATA_DIR = tmp_path
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} is taken.*make run PORT="):
            call_command("dev_setup", url=f"http://127.0.0.1:{port}/")
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())
