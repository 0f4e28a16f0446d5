"""What `make` works in: what is said where it cannot be brought about, and a checkout that is moved or copied."""

import os
import shutil
import signal
import site
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.gateway.disks import disk, mount
from tests.processes import wait_for
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent.parent
NOBODY = 54_321
"""A user of whom this machine knows nothing."""
# Nothing is brought from anywhere: the index is a port where nobody listens.
NO_NETWORK = {
    "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DEFAULT_TIMEOUT": "5",
}


def environment(**given: str) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **NO_NETWORK, "GATEWAY_WEB": "off", **given}


def make_environment(venv: Path, *prefix: str) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, ROOT / "environment.py", venv, "demo"]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("prefix", [[], ["unshare", "--net"]])
def test_without_a_network_it_is_the_network_that_is_named(tmp_path: Path, prefix: list[str]) -> None:
    if prefix and subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("only who may leave the network can try without one")
    failed = make_environment(tmp_path / "venv", *prefix)
    assert failed.returncode == 1
    assert "The packages come from the Python package index, once, and it cannot be reached." in failed.stderr
    assert "HTTPS_PROXY" in failed.stderr
    assert "Traceback" not in failed.stderr
    # What is there already is used the next time, and says the same.
    assert "cannot be reached" in make_environment(tmp_path / "venv", *prefix).stderr


def test_a_folder_that_cannot_be_written_to_is_named_and_not_taken_for_a_missing_module(folder: Path) -> None:
    with disk(folder, 600) as small:
        assert mount("-o", "remount,ro", small).returncode == 0
        failed = make_environment(small / "venv")
    assert failed.returncode == 1
    assert f"{small / 'venv'} cannot be written to by this user" in failed.stderr
    assert "VENV=/elsewhere/venv DATA_DIR=/elsewhere/demo" in failed.stderr
    assert "venv module" not in failed.stderr


def test_a_disk_without_room_is_named(folder: Path) -> None:
    with disk(folder, 50) as small:
        failed = make_environment(small / "venv")
        assert failed.returncode == 1
        assert f"The disk of {small / 'venv'} is full." in failed.stderr
        assert "400 are needed" in failed.stderr
        assert list(small.iterdir()) == []


def test_an_environment_that_was_broken_off_is_made_whole(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    make_environment(tmp_path / "venv")
    assert (
        subprocess.run([tmp_path / "venv" / "bin" / "python", "-m", "pip", "--version"], capture_output=True).returncode
        == 0
    )


def test_a_command_that_is_killed_is_not_said_to_have_taken_too_long() -> None:
    command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    program = f"import environment as e, pathlib; e._run({command}, pathlib.Path('venv'), 'demo')"
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "It was killed (signal 9), perhaps for want of memory." in killed.stderr


@pytest.fixture
def checkout(folder: Path) -> Path:
    """A checkout with an environment of its own, which takes what it needs from this one instead of from a network."""
    place = folder / "first"
    list_files = ["git", "ls-files", "-z"]
    tracked = subprocess.run(list_files, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if not name.startswith(("tests/", "bench/", "docs/")) and (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / ".venv"], check=True)
    (own,) = (place / ".venv" / "lib").glob("python*/site-packages")
    (own / "shared.pth").write_text("\n".join(site.getsitepackages()))
    make(place, ".venv/.demo")
    assert _found_by(place) == place
    return place


def make(place: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    command = ["make", *targets, f"PYTHON={sys.executable}"]
    made = subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert made.returncode == 0, made.stdout + made.stderr
    return made


def _found_by(place: Path) -> Path:
    """Where the command of this checkout's environment finds the gateway."""
    asks = "import gateway, sys; sys.stdout.write(gateway.__file__)"
    command = [place / ".venv" / "bin" / "python", "-P", "-c", asks]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout).parent.parent


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_checkout_that_is_moved_or_copied_goes_on_where_it_is_without_a_network(checkout: Path, how: str) -> None:
    place = checkout.with_name("second place")
    if how == "moved":
        checkout.rename(place)
    else:
        shutil.copytree(checkout, place, symlinks=True)
    made = make(place, ".venv/.demo")
    assert "This checkout was moved or copied" in made.stderr
    assert _found_by(place) == place
    said = subprocess.run([place / ".venv" / "bin" / "gateway", "--version"], capture_output=True, text=True)
    assert said.stdout.startswith("gateway ")
    assert "moved" not in make(place, ".venv/.demo").stderr  # once
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = place.parent / "log"
    command = ["make", "demo", f"PORT={port}", f"DATA_DIR={place.parent}/data", f"PYTHON={sys.executable}"]
    with log.open("w") as output:
        demo = subprocess.Popen(command, cwd=place, env=environment(), stdout=output, stderr=output)
    try:
        wait_for(lambda: "Bringing the tables up to date" in log.read_text(), demo, log)
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(PATIENCE)


def test_who_has_no_home_is_given_one_beside_the_environment() -> None:
    command = ["make", "--silent", "--eval", "show: ; @echo $$HOME", "show"]
    without = {name: value for name, value in environment().items() if name != "HOME"}
    if os.geteuid() == 0:
        shown = subprocess.run(
            command, cwd=ROOT, env=without, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True
        )
        assert shown.stdout.strip() == str(ROOT / ".venv")
    shown = subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True)
    assert shown.stdout.strip() == os.path.expanduser("~")  # noqa: PTH111 - what the shell knows of this user


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_user_without_a_name_is_told_that_postgresql_needs_one(folder: Path) -> None:
    (folder / "own").mkdir()
    os.chown(folder / "own", NOBODY, NOBODY)
    # Only once all is loaded: this Python may be for its own user.
    become = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    command = f"from pathlib import Path; from database.embedded import free_bytes; {become}; free_bytes(Path('data'))"
    refused = subprocess.run(
        [sys.executable, "-P", "-c", command], cwd=folder / "own", env=environment(), capture_output=True, text=True
    )
    assert f"EmbeddedError: The user who runs this (id {NOBODY}) has no name on this machine" in refused.stderr
