"""Calls over real HTTP: what is sent to whom, what is tried again, what a failure says."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest

from pipeline.core.errors import InvalidInput, NotAllowed, NotSignedIn
from pipeline.core.schema import ModelChoice
from pipeline.generation.access import ROUTER, ModelAccess, find_endpoint
from pipeline.generation.cache import Reply
from pipeline.generation.chat import CallFailed, ChatClient, Patience
from pipeline.generation.ledger import Ledger
from pipeline.generation.traffic import Traffic
from tests.llm_server import Fault, Latency, LlmServer

MESSAGES = [{"role": "user", "content": "Is it dry?"}]
QUICK = Patience(timeout=5, first_wait=0.002, longest_wait=0.3, longest_asked=0.3)


def _ask(
    url: str | None,
    access: ModelAccess | None = None,
    patience: Patience = QUICK,
    model: str = "a/one",
    **parameters: object,
) -> Reply:
    async def run() -> Reply:
        choice = ModelChoice(model=model, base_url=url)
        end = find_endpoint(choice, access or ModelAccess())
        client = ChatClient(end, patience, Traffic(10).lane(end.url, model))
        account = partial(Ledger().bill, "call", choice, MESSAGES)
        try:
            return await client.ask(MESSAGES, parameters, account, 10)
        finally:
            await client.aclose()

    return asyncio.run(run())


def _failure(
    url: str | None, access: ModelAccess | None = None, model: str = "a/one"
) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        _ask(url, access, model=model)
    assert "\n" not in str(caught.value)
    assert caught.value.problem.endswith(".")
    assert caught.value.next_step.endswith(".")
    return caught.value


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_an_answer_comes_with_reason_and_tokens(server: LlmServer) -> None:
    reply = _ask(server.url, temperature=0.5, max_tokens=9)
    assert reply.text.startswith("a/one says")
    assert (reply.finish_reason, reply.tokens_in) == ("stop", 3)
    assert reply.tokens_out is not None
    sent = server.requests[0]
    assert (sent.model, sent.messages) == ("a/one", MESSAGES)
    assert sent.parameters == {"temperature": 0.5, "max_tokens": 9}
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_a_base_url_may_be_written_in_any_usual_way(server: LlmServer, ending: str) -> None:
    assert _ask(server.url.removesuffix("/v1") + ending).text


@pytest.mark.parametrize("bad", ["http://", "http://[::1", "http://host:99999/v1", "http:///v1"])
def test_an_address_that_is_none_is_refused_by_name(bad: str) -> None:
    with pytest.raises(InvalidInput, match="is not the address of a model server"):
        find_endpoint(ModelChoice(model="m", base_url=bad), ModelAccess())


def test_each_credential_goes_only_where_it_belongs(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_saved_on_this_machine")
    access = ModelAccess(hf_token="hf_mine", api_key="sk-mine", router=server.url)
    _ask(server.url, access)
    _ask(None, access)
    _ask(server.url, ModelAccess(hf_token="hf_mine"))
    sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == ["Bearer sk-mine", "Bearer hf_mine", None]


def _key_for(url: str, *hosts: str) -> str | None:
    access = ModelAccess(api_key="sk-mine", api_hosts=frozenset(hosts))
    return find_endpoint(ModelChoice(model="m", base_url=url), access).key


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://localhost:8000/v1", ()),
        ("http://127.9.8.7:8000", ()),
        ("http://[::1]:8000/v1", ()),
        ("https://Models.Example.org/v1", ("models.example.org",)),
        ("https://models.example.org:8443/v1", ("models.example.org",)),
        ("https://models.example.org/v1", ("models.example.org:443",)),
        ("http://10.0.0.7:8000/v1", ("other", "10.0.0.7:8000")),
        ("http://[fd00::7]:8000/v1", ("[fd00::7]:8000",)),
    ],
)
def test_a_key_is_sent_to_this_machine_and_to_hosts_that_its_owner_named(
    url: str, hosts: tuple[str, ...]
) -> None:
    assert _key_for(url, *hosts) == "sk-mine"


@pytest.mark.parametrize(
    ("url", "hosts", "named"),
    [
        ("https://evil.example/v1", (), "evil.example"),
        ("http://evil.example:8000/v1", ("models.example",), "evil.example:8000"),
        ("https://models.example.evil.example/v1", ("models.example",), "models.example.evil.exa"),
        ("https://localhost.evil.example/v1", (), "localhost.evil.example"),
        ("https://127.0.0.1.evil.example/v1", (), "127.0.0.1.evil.example"),
        ("https://models.example:8443/v1", ("models.example:443",), "models.example:8443"),
        ("http://models.example/v1", ("models.example:443",), "models.example"),
        ("http://[fd00::7]:8000/v1", ("[fd00::8]:8000",), "[fd00::7]:8000"),
        ("http://evil.example#@models.example/v1", ("models.example",), "evil.example"),
    ],
)
def test_a_key_is_sent_to_no_other_host(url: str, hosts: tuple[str, ...], named: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        _key_for(url, *hosts)
    assert f"set SEEDBED_API_HOST={named}" in str(caught.value)
    assert "sk-mine" not in str(caught.value)
    assert find_endpoint(ModelChoice(model="m", base_url=url), ModelAccess()).key is None


@pytest.mark.parametrize("host", ["$(id)", "a;b", "a`b", "a\x1b[2J", "a b", "a\\b"])
def test_a_host_that_would_harm_whoever_pastes_it_is_no_address(host: str) -> None:
    with pytest.raises(InvalidInput, match="is not the address"):
        _key_for(f"http://{host}/v1")


def test_inference_providers_need_a_token_and_have_a_fixed_address() -> None:
    choice = ModelChoice(model="org/m")
    with pytest.raises(NotSignedIn, match="org/m is called through Hugging Face"):
        find_endpoint(choice, ModelAccess(api_key="sk-mine"))
    end = find_endpoint(choice, ModelAccess(hf_token="hf_mine"))
    assert end.url == f"{ROUTER}/chat/completions"
    assert end.key == "hf_mine"


@pytest.mark.parametrize("key", ["sk-a b", "sk-a\nX-Other: 1", "sk-ä", "sk-\0"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(NotSignedIn) as caught:
        find_endpoint(ModelChoice(model="m", base_url="http://h"), ModelAccess(api_key=key))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=408, first=2),
        Fault(status=429, first=2),
        Fault(status=429, first=1, retry_after="0"),
        Fault(status=429, first=1, retry_after="no number"),
        Fault(status=500, first=3),
        Fault(status=503, first=1, retry_after="0.01"),
        Fault(drop=True, first=3),
        Fault(body=b'{"choices": [', first=1),
        Fault(body=b"<html>starting</html>", first=1),
        Fault(text="", first=1),
    ],
)
def test_what_may_pass_is_tried_again(server: LlmServer, fault: Fault) -> None:
    server.fail(fault)
    assert _ask(server.url).text.startswith("a/one says")
    assert len(server.requests) == (fault.first or 0) + 1


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [
        (Fault(status=400), "rejected", 1),
        (Fault(status=401), "refused", 1),
        (Fault(status=402), "no credit", 1),
        (Fault(status=403), "refused", 1),
        (Fault(status=404), "not found", 1),
        (Fault(status=422), "rejected", 1),
        (Fault(status=307), "rejected", 1),
        (Fault(status=429), "rate limited", 9),
        (Fault(status=500), "server error", 6),
        (Fault(drop=True), "dropped", 6),
        (Fault(body=b"not json"), "malformed", 6),
        (Fault(body=b'{"choices": []}'), "malformed", 6),
        (Fault(body=b'{"choices": [{"message": {"content": 7}}]}'), "malformed", 6),
        (Fault(body=b'{"choices": [{"message": null}]}'), "malformed", 6),
        (Fault(body=b"[1]"), "malformed", 6),
        (Fault(body=b"[" * 100_000), "malformed", 6),
        (Fault(body=b'{"error": {"message": "overloaded"}}'), "malformed", 6),
        (Fault(body=b"<html>", media_type="text/html"), "not found", 1),
        (Fault(text=None), "empty", 2),
        (Fault(text="  \n"), "empty", 2),
    ],
)
def test_what_stays_becomes_one_sentence(
    server: LlmServer, fault: Fault, kind: str, attempts: int
) -> None:
    server.fail(fault)
    error = _failure(server.url)
    assert error.kind == kind
    assert len(server.requests) == attempts
    assert server.url in str(error)


def test_a_server_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{_free_port()}/v1"
    error = _failure(url)
    assert error.kind == "unreachable"
    assert error.problem.startswith(f"The model server {url} cannot be reached: ")
    assert error.next_step == "Check that it is running and that base_url is right."


def test_a_server_that_restarts_is_waited_for() -> None:
    port = _free_port()
    url = f"http://127.0.0.1:{port}/v1"
    choice = ModelChoice(model="m", base_url=url)
    end = find_endpoint(choice, ModelAccess())
    account = partial(Ledger().bill, "call", choice, MESSAGES)

    async def run() -> None:
        patience = Patience(timeout=5, first_wait=0.05, longest_wait=0.3)
        client = ChatClient(end, patience, Traffic(10).lane(url, "m"))
        first = LlmServer(port=port).start()
        assert (await client.ask(MESSAGES, {}, account, 10)).text
        await asyncio.to_thread(first.stop)
        asking = asyncio.create_task(client.ask(MESSAGES, {}, account, 10))
        await asyncio.sleep(0.6)
        assert not asking.done()
        with LlmServer(port=port):
            assert (await asking).text
        await client.aclose()

    asyncio.run(run())


def test_a_model_that_does_not_exist_is_named_with_where_to_look() -> None:
    with LlmServer(models=("a/one",)) as server:
        error = _failure(server.url, model="c/three")
        assert error.kind == "not found"
        assert "has no model c/three (HTTP 404: The model `c/three` does not exist)" in str(error)
        assert f"{server.url}/models" in error.next_step


def test_a_wrong_key_gets_one_clear_message_that_does_not_show_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with LlmServer(key="right") as server:
        error = _failure(server.url, ModelAccess(api_key="sk-wrong"))
        assert "SEEDBED_API_KEY" in error.next_step
        assert "Incorrect API key provided: ***" in error.problem
        router = ModelAccess(hf_token="hf_wrong", router=server.url)
        assert "Sign in again" in _failure(None, router).next_step
    told = "".join(traceback.format_exception(error)) + caplog.text
    assert "sk-wrong" not in told
    assert "hf_wrong" not in told


def test_credentials_in_objects_are_not_shown() -> None:
    access = ModelAccess(hf_token="hf_mine", api_key="sk-mine")
    end = find_endpoint(ModelChoice(model="m"), access)
    assert "mine" not in f"{access!r} {end!r}"


def test_credentials_in_an_address_are_refused_because_settings_are_shared() -> None:
    choice = ModelChoice(model="m", base_url="http://user:pw-secret@host/v1")
    with pytest.raises(InvalidInput, match="SEEDBED_API_KEY") as caught:
        find_endpoint(choice, ModelAccess())
    assert "pw-secret" not in str(caught.value)


def test_a_long_complaint_is_cut_and_put_in_one_line(server: LlmServer) -> None:
    server.fail(Fault(status=400, message="too\nlong " * 1_000))
    assert len(str(_failure(server.url))) < 600


def test_retry_after_is_honoured_and_one_that_is_too_long_is_a_failure(server: LlmServer) -> None:
    server.fail(Fault(status=429, first=1, retry_after="0.2"))
    start = time.monotonic()
    _ask(server.url)
    assert 0.2 <= time.monotonic() - start < 2
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for far in ("3600", later):
        server.heal()
        server.fail(Fault(status=429, first=1, retry_after=far))
        assert _failure(server.url).kind == "rate limited"


def test_retry_after_holds_every_call_to_the_endpoint(server: LlmServer) -> None:
    server.fail(Fault(status=429, first=1, retry_after="0.4"))

    async def run() -> list[float]:
        choice = ModelChoice(model="m", base_url=server.url)
        end = find_endpoint(choice, ModelAccess())
        patience = Patience(timeout=5, first_wait=0.002)
        client = ChatClient(end, patience, Traffic(50).lane(server.url, "m"))
        account = partial(Ledger().bill, "call", choice, MESSAGES)
        first = asyncio.create_task(client.ask(MESSAGES, {}, account, 10))
        while not server.requests:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await asyncio.gather(first, *(client.ask(MESSAGES, {}, account, 10) for _ in range(20)))
        await client.aclose()
        return [call.arrived - began for call in server.calls[1:]]

    assert min(asyncio.run(run())) > 0.2


def test_waits_grow_and_are_jittered() -> None:
    patience = Patience(first_wait=1, longest_wait=100)
    waits = [[patience.wait(attempt) for _ in range(50)] for attempt in range(4)]
    assert all(len(set(row)) > 10 for row in waits)
    assert all(0.5 * 2**n <= min(row) <= max(row) <= 1.5 * 2**n for n, row in enumerate(waits))


def test_a_server_that_never_answers_is_left_in_time() -> None:
    with LlmServer(latency=Latency(5)) as server:
        start = time.monotonic()
        with pytest.raises(CallFailed, match=r"did not answer within 0\.2 seconds") as caught:
            _ask(server.url, patience=Patience(timeout=0.2, first_wait=0.002))
        assert caught.value.kind == "timeout"
        assert time.monotonic() - start < 2
        assert len(server.requests) == 1


def test_text_that_cannot_be_stored_is_made_storable(server: LlmServer) -> None:
    server.fail(Fault(body=b'{"choices": [{"message": {"content": "a\\ud800b \\ud83d\\ude00"}}]}'))
    reply = _ask(server.url)
    assert reply.text.encode()
    assert reply.text.startswith("a")
    assert reply.text.endswith("b 😀")
    assert (reply.finish_reason, reply.tokens_in, reply.tokens_out) == (None, None, None)


def test_content_in_parts_is_joined(server: LlmServer) -> None:
    parts = [{"type": "text", "text": "It "}, {"type": "text", "text": "depends."}]
    body = {"choices": [{"message": {"content": parts}}], "usage": {"prompt_tokens": True}}
    server.fail(Fault(body=json.dumps(body).encode()))
    reply = _ask(server.url)
    assert (reply.text, reply.finish_reason) == ("It depends.", None)
    assert (reply.tokens_in, reply.tokens_out) == (None, None)


def test_connections_are_used_again() -> None:
    async def run(url: str) -> None:
        choice = ModelChoice(model="m", base_url=url)
        client = ChatClient(
            find_endpoint(choice, ModelAccess()), QUICK, Traffic(150).lane(url, "m")
        )
        account = partial(Ledger().bill, "call", choice, MESSAGES)
        for _ in range(3):
            await asyncio.gather(*(client.ask(MESSAGES, {}, account, 10) for _ in range(150)))
        await client.aclose()

    with LlmServer(latency=Latency(0.2)) as server:
        asyncio.run(run(server.url))
        assert server.most_in_flight == 150
        assert server.connections <= 160
