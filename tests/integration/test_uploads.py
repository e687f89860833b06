"""Files over a real socket into a real server: what is acked is stored, whatever is cut or killed."""

import asyncio
import hashlib
import os
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.harness import wire
from tests.harness.site import Site
from tests.harness.waiting import wait_for
from tests.integration.conftest import Running

MIB = 1 << 20


def files_of(site: Site, upload: str) -> list[str]:
    """What the store holds of one upload: the endings, "" for the sealed blob."""
    name = upload.replace("-", "")
    return sorted(path.name.removeprefix(name) for path in (site.var / "uploads" / name[:2]).glob(f"{name}*"))


def stored_files(site: Site) -> list[str]:
    """Every file of the upload store, as its folder shows it."""
    return sorted(path.name for path in (site.var / "uploads").rglob("*") if path.is_file())


def blob(site: Site, upload: str) -> bytes:
    name = upload.replace("-", "")
    return (site.var / "uploads" / name[:2] / name).read_bytes()


@pytest.mark.parametrize("size", [0, 1, 65_536, 3 * MIB + 1])
async def test_a_file_is_stored_and_processed(running: Running, size: int) -> None:
    body = os.urandom(size)
    async with wire.connect(running.ws_url) as socket:
        stored = await socket.upload(body, "random.bin")
        ended = await socket.finished_job(stored["job"])
    assert stored["size"] == size
    assert stored["sha256"] == hashlib.sha256(body).hexdigest()
    assert blob(running.site, stored["upload"]) == body
    assert ended["event"] == "succeeded"
    assert ended["result"]["sha256"] == stored["sha256"]


async def test_many_files_interleave_on_one_socket(running: Running) -> None:
    bodies = [os.urandom(2 * MIB + n) for n in range(5)]
    async with wire.connect(running.ws_url) as socket:
        answers = await asyncio.gather(*(socket.upload(b, f"{n}.bin", chunk=50_000) for n, b in enumerate(bodies)))
    assert [a["sha256"] for a in answers] == [hashlib.sha256(b).hexdigest() for b in bodies]
    assert [blob(running.site, a["upload"]) for a in answers] == bodies


async def test_events_come_once_and_in_order(running: Running) -> None:
    async with wire.connect(running.ws_url) as socket:
        stored = await socket.upload(b"a b a\n" * 1000, "words.txt", processor="word-count", params={"top": 2})
        ended = await socket.finished_job(stored["job"])
        history = [m for m in socket.history if m["type"] == "job.event" and m["event"] != "progress"]
    assert [m["seq"] for m in history] == list(range(1, len(history) + 1))
    assert [m["event"] for m in history if m["event"] != "partial"] == ["queued", "started", "succeeded"]
    assert ended["result"]["top"] == [["a", 2000], ["b", 1000]]


@pytest.mark.parametrize("who", ["token", "owner"])
async def test_a_dropped_socket_is_resumed_where_the_store_stands(running: Running, who: str) -> None:
    body = os.urandom(5 * MIB)
    cookie = running.site.login() if who == "owner" else ""
    origin = running.server.url if cookie else None
    async with wire.connect(running.ws_url, cookie=cookie, origin=origin) as first:
        sending = await first.open("cut.bin", len(body))
        await first.send_file(sending, body, until=3 * MIB)
        await first.wait_acked(sending, 3 * MIB)
        first.cut()
    async with wire.connect(running.ws_url, cookie=cookie, origin=origin) as second:
        token = None if cookie else sending.token
        again = await second.resume(sending.upload, token=token)
        assert again.acked >= 3 * MIB
        stored = await second.finish(again, body)
    assert stored["sha256"] == hashlib.sha256(body).hexdigest()


async def test_the_server_killed_in_mid_upload_loses_no_acked_byte(site: Site) -> None:
    body = os.urandom(40 * MIB)
    server = site.server(worker=False)
    with server:
        async with wire.connect(server.ws_url) as socket:
            sending = await socket.open("killed.bin", len(body))
            upload = asyncio.create_task(socket.send_file(sending, body, chunk=100_000))
            await socket.wait_acked(sending, 15 * MIB)
            server.kill9()
            with pytest.raises((AssertionError, OSError, ConnectionClosed)):
                await upload
            acked = sending.acked
    with site.server() as server:
        async with wire.connect(server.ws_url) as socket:
            again = await socket.resume(sending.upload, token=sending.token)
            assert again.acked >= acked
            stored = await socket.finish(again, body)
            ended = await socket.finished_job(stored["job"])
    assert stored["sha256"] == hashlib.sha256(body).hexdigest()
    assert ended["event"] == "succeeded"


async def test_the_newest_writer_wins_and_the_older_is_told(running: Running) -> None:
    body = os.urandom(2 * MIB)
    async with wire.connect(running.ws_url) as older, wire.connect(running.ws_url) as newer:
        sending = await older.open("two.bin", len(body))
        await older.send_file(sending, body, until=MIB)
        await older.wait_acked(sending, MIB)
        again = await newer.resume(sending.upload, token=sending.token)
        detached = await older.expect("upload.detached", ref=sending.ref, timeout=3)
        assert detached["reason"] == "taken_over"
        stored = await newer.finish(again, body)
    assert stored["sha256"] == hashlib.sha256(body).hexdigest()


async def test_an_abort_deletes_and_a_lost_socket_does_not(running: Running) -> None:
    async with wire.connect(running.ws_url) as socket:
        sending = await socket.open("aborted.bin", 10 * MIB)
        await socket.send_file(sending, os.urandom(10 * MIB), until=MIB)
        await socket.wait_acked(sending, MIB)
        kept = await socket.open("kept.bin", 10 * MIB)
        await socket.send("upload.abort", ref=sending.ref)
        await socket.expect("upload.aborted", ref=sending.ref)
        assert files_of(running.site, sending.upload) == []
        assert files_of(running.site, kept.upload) == [".epoch", ".part"]
    async with wire.connect(running.ws_url) as socket:
        assert (await socket.resume(kept.upload, token=kept.token)).acked == 0
        ref = socket.take_ref()
        await socket.send("upload.resume", ref=ref, upload=sending.upload, token=sending.token)
        error = await socket.expect("error", ref=ref)
        assert (error["code"], error["ended"]) == ("not_found", True)


async def test_the_same_key_is_the_same_upload(running: Running) -> None:
    body = os.urandom(MIB)
    cookie = running.site.login()
    origin = running.server.url
    async with wire.connect(running.ws_url, cookie=cookie, origin=origin) as socket:
        first = await socket.open("keyed.bin", len(body), key="k1")
        await socket.send_file(first, body, until=1000)
        await socket.wait_acked(first, 1000)
    async with wire.connect(running.ws_url, cookie=cookie, origin=origin) as socket:
        again = await socket.open("keyed.bin", len(body), key="k1")
        assert (again.upload, again.acked) == (first.upload, 1000)
        stored = await socket.finish(again, body)
        whole = await socket.open("keyed.bin", len(body), key="k1")
        repeated = await socket.expect("upload.stored", ref=whole.ref)
        assert (whole.acked, repeated["job"]) == (len(body), stored["job"])
        await socket.send("upload.open", ref=socket.take_ref(), name="other.bin", size=5, key="k1")
        assert (await socket.expect("error"))["code"] == "conflict"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"processor": "nonsense"}, "unknown_processor"),
        ({"processor": "word-count", "params": {"top": "many"}}, "bad_params"),
        ({"processor": "word-count", "params": {"tip": 1}}, "bad_params"),
        ({"size": 2**52}, "too_large"),
        ({"size": -1}, "bad_message"),
        ({"name": 5}, "bad_message"),
    ],
)
async def test_a_bad_open_leaves_nothing(running: Running, fields: dict[str, object], code: str) -> None:
    rows, files = running.site.rows("select count(*) from uploads_upload")[0][0], len(stored_files(running.site))
    async with wire.connect(running.ws_url) as socket:
        ref = socket.take_ref()
        await socket.send("upload.open", **{"ref": ref, "name": "x", "size": 3, **fields})
        error = await socket.expect("error")
        assert (error["code"], error["ref"]) == (code, ref)
        if code == "bad_params":
            assert error["field"] in ("top", "tip")
        assert (await socket.upload(b"abc"))["size"] == 3
    after = running.site.rows("select count(*) from uploads_upload")[0][0]
    assert (after, len(stored_files(running.site))) == (rows + 1, files + 1)


async def test_wrong_digests_and_sizes_leave_nothing_half_made(running: Running) -> None:
    async with wire.connect(running.ws_url) as socket:
        sending = await socket.open("lie.bin", 3)
        await socket.send_file(sending, b"abc")
        await socket.send("upload.finish", ref=sending.ref, sha256="0" * 64)
        assert (await socket.expect("error", ref=sending.ref))["code"] == "digest_mismatch"
        long = await socket.open("long.bin", 3)
        await socket.chunk(long.ref, 0, b"abcd")
        assert (await socket.expect("error", ref=long.ref))["code"] == "too_large"
        short = await socket.open("short.bin", 5)
        await socket.chunk(short.ref, 0, b"abc")
        await socket.send("upload.finish", ref=short.ref)
        error = await socket.expect("error", ref=short.ref)
        assert (error["code"], error["expected"], error["ended"]) == ("size_mismatch", 3, False)
        await socket.chunk(short.ref, 3, b"de")
        await socket.send("upload.finish", ref=short.ref)
        stored = await socket.expect("upload.stored", ref=short.ref)
        assert stored["sha256"] == hashlib.sha256(b"abcde").hexdigest()
    await wait_for(lambda: [files_of(running.site, u.upload) for u in (sending, long, short)] == [[], [], [""]])


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        "null",
        '"text"',
        "[" * 16_000,
        '{"type":' + '{"a":' * 2000 + "1" + "}" * 2000 + "}",
        '{"type":"nonsense"}',
        '{"type":5}',
        '{"type":"upload.finish","ref":77}',
        '{"type":"upload.open","ref":1e400,"name":"x","size":1}',
        '{"type":"job.cancel","job":"not-a-uuid"}',
        '{"type":"ping","id":' + "9" * 5000 + "}",
        '{"type":"x","pad":"' + "p" * 20_000 + '"}',
    ],
)
async def test_malformed_text_is_answered_and_the_socket_lives(running: Running, frame: str) -> None:
    async with wire.connect(running.ws_url) as socket:
        await socket.send_raw(frame)
        assert (await socket.expect("error"))["code"] == "bad_message"
        await socket.send("ping", id=1)
        await socket.expect("pong", id=1)


@pytest.mark.parametrize("frame", [b"", b"abc", b"hello, is anybody there?", bytes(200_000)])
async def test_binary_before_open_is_answered_and_the_socket_lives(running: Running, frame: bytes) -> None:
    async with wire.connect(running.ws_url) as socket:
        await socket.send_raw(frame)
        assert (await socket.expect("error"))["code"] == "bad_message"
        assert (await socket.upload(b"abc"))["size"] == 3


async def test_an_oversized_frame_closes_1009(running: Running) -> None:
    async with wire.connect(running.ws_url) as socket:
        sending = await socket.open(size=None)
        with pytest.raises((AssertionError, ConnectionClosed)):
            await socket.chunk(sending.ref, 0, bytes(2 * MIB))
            await socket.expect("upload.ack", timeout=5)
        await socket.expect_close(1009)


async def test_past_the_window_closes_4429(running: Running) -> None:
    async with wire.connect(running.ws_url) as socket:
        sending = await socket.open(size=None)
        with pytest.raises((AssertionError, ConnectionClosed)):
            await socket.chunk(sending.ref, sending.edge, b"far")
            await socket.chunk(sending.ref, sending.edge - 1, b"past the edge")
            await socket.expect("nothing", timeout=5)
        await socket.expect_close(4429)


NAMES = [
    "../../etc/passwd",
    "a\x00b",
    "\u202egpj.exe",
    "n" * 1000,
    "🎉" * 50,
    "C:\\x\\y",
    ".",
    " ",
    "con\r\nSet-Cookie: x=1",
]


@pytest.mark.parametrize("name", NAMES)
async def test_names_are_shown_and_never_a_path(running: Running, name: str) -> None:
    async with wire.connect(running.ws_url) as socket:
        stored = await socket.upload(b"body", name)
        await socket.finished_job(stored["job"])
        await socket.send("job.subscribe", job=stored["job"], token=socket.sendings[0].token)
        assert (await socket.expect("job.state"))["name"] == name
    assert files_of(running.site, stored["upload"]) == [""]


async def test_memory_stays_flat_and_hashes_equal_for_a_large_file(site: Site, tmp_path: Path) -> None:
    """A file of 512 MiB, mostly holes; larger ones take the same path."""
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(512 * MIB)
        file.seek(300 * MIB)
        file.write(os.urandom(MIB))
    with site.server(worker=False) as server:
        process = psutil.Process(server.pid)
        async with wire.connect(server.ws_url) as socket:
            await socket.upload(os.urandom(20 * MIB), "warm.bin")
            before = process.memory_info().rss
            stored = await socket.upload(big, chunk=65_536)
        grown = process.memory_info().rss - before
    assert stored["size"] == 512 * MIB
    assert grown < 32 * MIB, f"grew by {grown >> 20} MiB"


async def test_another_client_sees_nothing_of_it(running: Running) -> None:
    ada, bob = running.site.login("ada"), running.site.login("bob")
    origin = running.server.url
    async with wire.connect(running.ws_url, cookie=ada, origin=origin) as hers:
        stored = await hers.upload(b"mine", "secret.txt")
        await hers.finished_job(stored["job"])
        receiving = await hers.open("half.bin", 100)
        async with wire.connect(running.ws_url, cookie=bob, origin=origin) as his:
            for kind, fields in (
                ("job.subscribe", {"job": stored["job"]}),
                ("job.cancel", {"job": stored["job"]}),
                ("job.retry", {"job": stored["job"]}),
                ("job.subscribe", {"job": stored["job"], "token": "guess"}),
                ("upload.resume", {"ref": his.take_ref(), "upload": receiving.upload}),
                ("upload.delete", {"upload": stored["upload"]}),
                ("job.create", {"upload": stored["upload"], "processor": "inspect"}),
            ):
                await his.send(kind, **fields)
                assert (await his.expect("error"))["code"] == "not_found", kind
            his.inbox.clear()
            assert not [m for m in his.history if m["type"] == "job.event"]
        # The same without an Origin: a cookie alone, as a foreign page's form would send it, has no authority.
        async with wire.connect(running.ws_url, cookie=ada) as foreign:
            await foreign.send("job.subscribe", job=stored["job"])
            assert (await foreign.expect("error"))["code"] == "not_found"
        await hers.send("upload.abort", ref=receiving.ref)
        await hers.expect("upload.aborted")


async def test_a_foreign_origin_and_an_unknown_subprotocol_are_refused(running: Running) -> None:
    for refused in ({"origin": "http://evil.example"}, {"origin": "null"}, {"subprotocol": "graphql-ws"}):
        with pytest.raises(InvalidStatus):
            async with wire.connect(running.ws_url, **refused):  # type: ignore[arg-type]
                pass
    for allowed in (running.server.url, "https://friend.example"):
        async with wire.connect(running.ws_url, origin=allowed) as socket:
            assert socket.welcome["version"] == 1


async def test_api_tokens_open_and_close_the_door(running: Running) -> None:
    running.site.login("ada")
    token = running.site.manage("token", "make", "ada").stdout.strip()
    async with wire.connect(running.ws_url, token=token) as socket:
        assert socket.welcome["user"] == "ada"
    async with wire.connect(running.ws_url) as socket:
        assert socket.welcome["user"] is None
        await socket.send("auth", token=token)
        assert (await socket.expect("welcome"))["user"] == "ada"
    row = running.site.manage("token", "list").stdout.split()[0]
    running.site.manage("token", "revoke", row)
    async with wire.connect(running.ws_url, token=token, welcome=False) as socket:
        assert (await socket.expect("error"))["code"] == "unauthorized"
        await socket.expect_close(4401)
    log = running.server.log()
    assert token not in log


async def test_a_sealing_left_behind_is_finished(site: Site) -> None:
    """The server dies between the last byte and `stored`: whoever comes back gets `stored` and the one job."""
    body = os.urandom(MIB)
    with site.server(worker=False) as server:
        async with wire.connect(server.ws_url) as socket:
            sending = await socket.open("sealing.bin", len(body))
            await socket.send_file(sending, body)
            await socket.wait_acked(sending, len(body))
    site.manage(
        "shell",
        "-c",
        "from uploads.models import Upload; from datetime import timedelta; from django.utils import timezone;"
        f"Upload.objects.filter(pk='{sending.upload}').update(state='sealing', size={len(body)}, "
        "seal_lease_until=timezone.now() - timedelta(seconds=1))",
    )
    with site.server() as server:
        async with wire.connect(server.ws_url) as socket:
            again = await socket.resume(sending.upload, token=sending.token)
            stored = await socket.expect("upload.stored", ref=again.ref)
            ended = await socket.finished_job(stored["job"])
    assert (again.acked, stored["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert ended["event"] == "succeeded"


async def test_bye_before_a_restart(site: Site) -> None:
    with site.server(worker=False) as server:
        async with wire.connect(server.ws_url) as socket:
            server.terminate()
            bye = await socket.expect("bye")
            assert bye["retry_after_seconds"] > 0
            await socket.expect_close(1012)


async def test_jobs_of_a_stored_file(running: Running) -> None:
    """create, retry, cancel of what ended, delete: each with its answer."""
    async with wire.connect(running.ws_url) as socket:
        stored = await socket.upload(b"to be or not to be", "hamlet.txt")
        await socket.finished_job(stored["job"])
        token = socket.sendings[0].token
        await socket.send("job.create", upload=stored["upload"], processor="word-count", token=token)
        created = await socket.expect("job.state", processor="word-count")
        await socket.send("job.subscribe", job=created["job"], token=token)
        ended = await socket.finished_job(created["job"])
        assert ended["result"]["total"] == 6
        await socket.send("job.retry", job=created["job"], token=token)
        retried = await socket.expect("job.state", retry_of=created["job"])
        await socket.send("job.subscribe", job=retried["job"], token=token)
        assert (await socket.finished_job(retried["job"]))["event"] == "succeeded"
        await socket.send("upload.delete", upload=stored["upload"], token=token)
        await socket.expect("upload.deleted", upload=stored["upload"])
    assert files_of(running.site, stored["upload"]) == []
    assert running.site.rows("select count(*) from processing_job where source like %s", f"%{stored['upload']}") == [
        (0,)
    ]
