"""config/server.py over HTTP: bodies are bounded, and daphne does not say its name."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.serving import PATIENCE, Served, serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

LIMIT = 200_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), request_bytes=LIMIT) as server:
        yield server


def exchange(served: Served, *parts: bytes, for_ever: bytes = b"") -> bytes:
    """Send the parts, as far as the server takes them, and read all that it answers."""
    with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as sock:
        try:
            for part in parts:
                sock.sendall(part)
            while for_ever:
                sock.sendall(for_ever)
        except OSError:
            pass
        answer = bytearray()
        while data := sock.recv(1 << 16):
            answer += data
        return bytes(answer)


def head(*headers: str) -> bytes:
    return "\r\n".join(["POST /size HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""]).encode()


def chunked(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, bytes(size))


def test_a_body_up_to_the_limit_reaches_the_application(served: Served) -> None:
    answer = exchange(served, head(f"Content-Length: {LIMIT}"), bytes(LIMIT))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\n200000\r\n" in answer
    assert b"server:" not in answer.lower()
    answer = exchange(served, head("Transfer-Encoding: chunked"), chunked(LIMIT // 2) * 2, b"0\r\n\r\n")
    assert b"\r\n200000\r\n" in answer


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(served: Served) -> None:
    answer = exchange(served, head(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_is_too_large_is_refused_while_it_is_sent(served: Served, framing: str) -> None:
    before = served.reset_peak()
    size = 100 << 20
    if framing == "length":
        answer = exchange(served, head(f"Content-Length: {size}"), bytes(size))
    else:
        answer = exchange(served, head("Transfer-Encoding: chunked"), *[chunked(1 << 20)] * 100, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert served.memory("VmHWM") - before < 32 << 20
    served.process.wait_log("POST /size 413 ", PATIENCE)


def test_a_client_that_never_stops_sending_is_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path, request_bytes=LIMIT, close_seconds=1) as served:
        answer = exchange(served, head("Transfer-Encoding: chunked"), for_ever=chunked(1 << 20))
        assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_form_is_not_parsed_by_the_server(served: Served) -> None:
    body = b"a=1&" * 1000
    form = "Content-Type: application/x-www-form-urlencoded"
    answer = exchange(served, head(f"Content-Length: {len(body)}", form), body)
    assert b"\r\n4000\r\n" in answer
    broken = "Content-Type: multipart/form-data; boundary=x"
    answer = exchange(served, head("Content-Length: 5", broken), b"--y\r\n")
    assert b"\r\n5\r\n" in answer


def test_connections_are_kept_alive_and_requests_may_be_pipelined(served: Served) -> None:
    one = b"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    answer = exchange(served, one * 3 + head("Content-Length: 1") + b"x")
    assert answer.count(b"HTTP/1.1 200 ") == 4


def test_a_client_does_not_choose_the_root_path(served: Served) -> None:
    answer = exchange(served, b"GET /scope HTTP/1.1\r\nHost: a\r\nDaphne-Root-Path: /evil\r\nConnection: close\r\n\r\n")
    assert b'"root_path": ""' in answer


def test_the_servers_own_pages_do_not_name_it(served: Served) -> None:
    answer = exchange(served, b"GET /\x80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Invalid characters in path" in answer
    assert b"daphne" not in answer.lower()
