"""config/server.py: its hooks, its signals, its port and its log."""

import re
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.harness.waiting import free_port, wait_until
from tests.integration.raw_websocket import BINARY, CLOSE, TEXT, Raw, frame, get
from tests.integration.serving import PATIENCE, Served, serving, starting

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def refused(port: int) -> bool:
    """Does nobody listen there?"""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_hooks_and_consumers_share_one_loop(tmp_path: Path) -> None:
    with serving(tmp_path) as served, Raw(served.port, "/ws/echo/a") as ws:
        ws.send(TEXT, b"x")
        assert ws.receive() == (TEXT, b"x")
        assert served.get("/record/a")["loop"] is True


def test_nobody_is_served_before_before_start_is_done(tmp_path: Path) -> None:
    port = free_port()
    with starting(tmp_path, port=port, hooks={"before_start": f"say:begun file:{tmp_path}/go say:done"}) as served:
        served.process.wait_log("begun", PATIENCE)
        answers: list[object] = []
        waiting = threading.Thread(target=lambda: answers.append(get(port, "/record/a")))
        waiting.start()  # the port is bound: the request waits, and is not refused
        (tmp_path / "go").touch()
        waiting.join(PATIENCE)
        assert answers
        log = served.process.log()
        assert log.index("done") < log.index("GET /record/a")


def test_what_before_start_raises_ends_the_server(tmp_path: Path) -> None:
    with starting(tmp_path, hooks={"before_start": "raise", "before_stop": "say:never"}) as served:
        assert served.process.wait_exit(PATIENCE) == 1
        assert "RuntimeError: a hook failed" in served.process.log()
        assert "never" not in served.process.log()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_it_is_ready(tmp_path: Path, number: signal.Signals) -> None:
    with starting(tmp_path, hooks={"before_start": "say:begun wait:never", "before_stop": "say:never"}) as served:
        served.process.wait_log("begun", PATIENCE)
        served.process.send_signal(number)
        assert served.process.wait_exit(PATIENCE) == 0
        assert "never" not in served.process.log()
        served.assert_no_traceback()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_awaits_before_stop_and_meanwhile_what_is_open_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, hooks={"before_stop": "say:draining wait:drained say:drained"}) as served:
        with Raw(served.port, "/ws/echo/a") as ws, Raw(served.port, "/ws/release/drained") as release:
            served.process.send_signal(number)
            served.process.wait_log("draining", PATIENCE)
            assert refused(served.port)
            served.process.send_signal(signal.SIGTERM)  # a second SIGTERM changes nothing
            ws.send(TEXT, b"still served")
            assert ws.receive() == (TEXT, b"still served")
            release.send(TEXT, b"go")
            assert ws.close_code() == 1012
            assert release.close_code() == 1012
        assert served.process.wait_exit(PATIENCE) == 0
        served.process.wait_log("drained", times=2)
        served.assert_no_traceback()


def test_a_handshake_on_a_connection_that_is_open_already_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, hooks={"before_stop": "say:draining wait:drained"}) as served:
        with Raw(served.port, "/ws/release/drained") as release:
            with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as sock:
                sock.sendall(b"GET /record/a HTTP/1.1\r\nHost: a\r\n\r\n")
                assert b" 200 " in sock.recv(4096)
                served.process.terminate()
                served.process.wait_log("draining", PATIENCE)
                sock.sendall(
                    b"GET /ws/echo/a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
                )
                assert b" 503 " in sock.recv(4096)
            release.send(TEXT, b"go")
        assert served.process.wait_exit(PATIENCE) == 0


def test_a_hook_that_fails_at_the_stop_does_not_hold_it_up(tmp_path: Path) -> None:
    with serving(tmp_path, hooks={"before_stop": "raise"}) as served:
        with Raw(served.port, "/ws/echo/a") as ws:
            served.process.terminate()
            assert ws.close_code() == 1012
        assert served.process.wait_exit(PATIENCE) == 0
        assert served.process.log().count("RuntimeError: a hook failed") == 1


def test_a_second_sigint_stops_at_once(tmp_path: Path) -> None:
    with starting(tmp_path, hooks={"before_stop": "block say:draining wait:never"}) as served:
        served.ready()
        served.process.send_signal(signal.SIGINT)
        served.process.wait_log("draining", PATIENCE)
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait_exit(PATIENCE) == 130
        served.assert_no_traceback()


def test_a_second_sigint_cancels_what_runs(tmp_path: Path) -> None:
    with starting(tmp_path, hooks={"before_stop": "say:draining wait:never"}) as served:
        served.ready()
        with Raw(served.port, "/ws/stubborn/deaf"):
            served.process.send_signal(signal.SIGINT)
            served.process.wait_log("draining", PATIENCE)
            served.process.send_signal(signal.SIGINT)
            assert served.process.wait_exit(PATIENCE) == 130
        assert "deaf ended cancelled" in served.process.log()
        served.assert_no_traceback()


def test_what_is_written_reaches_a_slow_reader_before_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, close_seconds=30) as served, Raw(served.port, "/ws/talk/a", receive_buffer=4096) as ws:
        wait_until(lambda: served.get("/sockets")["a"]["waiting"], PATIENCE)
        served.process.terminate()
        served.process.wait_log("a ended returned 1012", PATIENCE)
        assert ws.close_code() == 1012
        ws.send(CLOSE, (1012).to_bytes(2))
        assert ws.at_end()
        assert served.process.wait_exit(PATIENCE) == 0


def test_applications_get_the_disconnect_and_who_does_not_finish_is_cancelled(tmp_path: Path) -> None:
    """The record of an application is printed when it ends; there is nobody left to ask."""
    with serving(tmp_path, stop_seconds=1) as served:
        paths = ("/ws/sink/polite", "/ws/stubborn/deaf", "/ws/mute/early")
        clients = [Raw(served.port, path) for path in paths]
        for client in clients[:2]:
            client.__enter__()
        wait_until(lambda: served.get("/record/early")["loop"], PATIENCE)
        served.process.terminate()
        for client in clients[:2]:
            assert client.close_code() == 1012
        assert " 503 " in clients[2].handshake()
        assert served.process.wait_exit(PATIENCE) == 0
        log = served.process.log()
        assert "polite ended returned 1012" in log
        assert "deaf ended cancelled None" in log
        assert "early ended returned 1012" in log
        for client in clients:
            client.sock.close()


def test_a_flooding_client_hears_the_close_at_the_stop(tmp_path: Path) -> None:
    with serving(tmp_path, received_high=1 << 16, received_low=1 << 14) as served:
        with Raw(served.port, "/ws/stubborn/a") as ws:
            ws.in_background(lambda: ws.sock.sendall(frame(BINARY, bytes(1 << 16)) * 1000))
            served.wait_paused("a")
            served.process.terminate()
            assert ws.close_code() == 1012
        assert served.process.wait_exit(PATIENCE) == 0


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with serving(tmp_path) as served, starting(tmp_path, port=served.port) as second:
        assert second.process.wait_exit(PATIENCE) == 2
        assert (
            second.process.log().strip() == f"PortTaken: port {served.port} on 127.0.0.1 is in use by another program"
        )


def requests_logged(served: Served, count: int) -> list[str]:
    """The lines of the access log, once there are so many."""
    served.process.wait_log("headrace.access", PATIENCE, times=count)
    return [line for line in served.process.log().splitlines() if "headrace.access" in line]


def test_one_line_for_each_request_and_no_query_string(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.get("/record/a?token=SECRET")
        with Raw(served.port, "/ws/echo/a?token=SECRET") as ws:
            ws.send(CLOSE, (1000).to_bytes(2))
            assert ws.at_end()
        with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as sock:
            sock.sendall(b"GET /record/%1b%0a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            sock.recv(4096)
        lines = requests_logged(served, 3)
        assert len(lines) == 3
        assert re.search(r" 127\.0\.0\.1:\d+ GET /record/a 200 \d+ \d+\.\d{3}s$", lines[0])
        assert re.search(r" 127\.0\.0\.1:\d+ WEBSOCKET /ws/echo/a 101 1000 \d+\.\d{3}s$", lines[1])
        assert "SECRET" not in served.process.log()
        assert " GET /record/%1b%0a 200 " in lines[2]
