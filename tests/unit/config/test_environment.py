"""The typed environment, and what serve prepares: a wrong setting is one line."""

import os
from pathlib import Path

import pytest

from config import bootstrap, environment, origins
from config.environment import ConfigurationError

GIVEN = {"SECRET_KEY": "x"}


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> environment.Environment:
    for name, value in variables.items():
        monkeypatch.setenv(f"HEADRACE_{name}", value)
    return environment.load()


def test_defaults_are_for_production(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    env = environment.load()
    assert (env.debug, env.https, env.anonymous_sessions, env.layer) == (False, True, False, "memory")
    assert env.window_bytes >= 2 * (env.chunk_bytes + environment.STORE_BATCH_BYTES)
    assert env.message_bytes <= 1 << 20


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    env = load(monkeypatch, ALLOWED_HOSTS="a.example, b.example", PROCESSORS="mine.one,mine.two")
    assert env.allowed_hosts == ["a.example", "b.example"]
    assert env.processors == ["mine.one", "mine.two"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CHUNK_BYTES", "many", "integer"),
        ("CHUNK_BYTES", str(2 << 20), "less than or equal"),
        ("DEBUG", "perhaps", "boolean"),
        ("ALLOWED_ORIGINS", "files.example.org", "full origin"),
        ("ALLOWED_ORIGINS", "https://files.example.org/path", "full origin"),
        ("WINDOW_BYTES", "1000000", "at least"),
        ("LEASE_SECONDS", "6", "three times"),
        ("CHANNEL_LAYER", "core", "redis_url"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(monkeypatch, **{name: value})
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert name in text or name.lower() in text


def test_the_secret_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "secret_key"
    bootstrap.make_secret_key(file)
    first = file.read_text()
    bootstrap.make_secret_key(file)
    assert file.read_text() == first
    assert len(first.strip()) >= 50
    assert file.stat().st_mode & 0o777 == 0o600


def test_prepare_names_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEADRACE_VAR_DIR", str(tmp_path / "file" / "var"))
    with pytest.raises(ConfigurationError, match="cannot be written"):
        bootstrap.prepare([])


@pytest.mark.parametrize(
    ("argv", "host"), [(["--host", "192.0.2.7"], "192.0.2.7"), (["--host=files.lan"], "files.lan")]
)
def test_prepare_serves_the_host_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, argv: list[str], host: str
) -> None:
    monkeypatch.setenv("HEADRACE_VAR_DIR", str(tmp_path))
    for name in ("ALLOWED_HOSTS", "HTTPS", "ANONYMOUS_SESSIONS"):
        monkeypatch.setenv(f"HEADRACE_{name}", "")  # so that monkeypatch puts back what prepare sets
        monkeypatch.delenv(f"HEADRACE_{name}")
    bootstrap.prepare(argv)
    env = environment.load()
    assert host in env.allowed_hosts
    assert "127.0.0.1" in env.allowed_hosts
    assert (env.https, env.anonymous_sessions) == (False, True)


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://testserver", "testserver", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://127.0.0.1:9000", "127.0.0.1:8000", False),
        ("http://evil.example", "127.0.0.1:8000", False),
        ("http://evil.example", "evil.example", False),
        ("ftp://127.0.0.1:8000", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
        ("", "127.0.0.1:8000", False),
        ("http://127.0.0.1:8000.evil.example", "127.0.0.1:8000", False),
    ],
)
def test_origins_are_whole(origin: str, host: str, expected: bool) -> None:
    assert origins.allowed(origin, host) is expected
