"""TLS and mutual TLS on both fronts, from files that are read anew when they change."""

import ssl

import aiohttp
import grpc
import httpx2
import openai
import pytest

from argus_core.errors import InvalidRequest
from argus_protos.v1 import images_pb2
from argus_rpc import fresh
from argus_rpc.tls import TlsFiles
from helpers import eventually
from router_support import ScriptedWorker, collect
from security_support import Authority, Client, guarded, stubs, write

NO_CONNECTION = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(fresh, "EVERY", 0.0)


async def speaks_grpc(client, address):
    """Whether a new connection stands."""
    async with client.channel(address) as channel:
        images, _ = stubs(channel)
        try:
            await images.DescribeCluster(images_pb2.DescribeClusterRequest(), timeout=30)
        except grpc.aio.AioRpcError as error:
            return error.code() not in NO_CONNECTION
        return True


async def speaks_http(client, url):
    """Whether a new connection stands."""
    try:
        async with client.session(url) as session, session.get("/v1/models") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, ssl.SSLError, ConnectionError):
        return False


async def speaks(client, address, url):
    over_grpc, over_http = await speaks_grpc(client, address), await speaks_http(client, url)
    assert over_grpc == over_http
    return over_grpc


async def test_images_are_drawn_over_tls(tmp_path):
    authority = Authority()
    certificate, key = authority.issue(tmp_path)
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    client = Client(authority)
    files = TlsFiles(certificate=certificate, key=key)
    async with guarded(worker, tls=files) as (router, address, url):
        await eventually(lambda: router.service.ready)
        assert url.startswith("https://")
        async with client.channel(address) as channel:
            events = await collect(
                stubs(channel)[0].Generate(images_pb2.GenerateRequest(prompt="x"))
            )
            assert events[-1].HasField("result")
        async with (
            httpx2.AsyncClient(verify=client.context()) as http,
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", http_client=http) as told,
        ):
            answer = await told.images.generate(prompt="x", response_format="url")
            assert answer.data[0].url.startswith("https://")


async def test_nobody_comes_in_without_tls_nor_trusts_another_authority(tmp_path):
    certificate, key = Authority().issue(tmp_path)
    async with guarded(tls=TlsFiles(certificate=certificate, key=key)) as (_, address, url):
        assert not await speaks(Client(Authority()), address, url)
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await stubs(channel)[0].DescribeCluster(
                    images_pb2.DescribeClusterRequest(), timeout=30
                )
        plain = url.replace("https", "http")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"{plain}/healthz")


async def test_certificate_that_is_replaced_serves_the_next_connection(tmp_path):
    first, second = Authority(), Authority()
    certificate, key = first.issue(tmp_path)
    async with guarded(tls=TlsFiles(certificate=certificate, key=key)) as (_, address, url):
        assert await speaks(Client(first), address, url)
        second.issue(tmp_path)
        assert await speaks(Client(second), address, url)
        assert not await speaks(Client(first), address, url)


async def test_certificate_that_is_half_replaced_leaves_the_old_one_in_force(tmp_path):
    first, second = Authority(), Authority()
    certificate, key = first.issue(tmp_path)
    async with guarded(tls=TlsFiles(certificate=certificate, key=key)) as (_, address, url):
        new = tmp_path / "other"
        new.mkdir()
        other_certificate, other_key = second.issue(new)
        write(certificate, other_certificate.read_bytes())
        assert await speaks(Client(first), address, url)
        write(key, other_key.read_bytes())
        assert await speaks(Client(second), address, url)


async def test_mutual_tls_asks_both_fronts_clients_for_certificates(tmp_path):
    authority, other = Authority(), Authority()
    certificate, key = authority.issue(tmp_path)
    mine, strange = authority.issue(tmp_path, "client"), other.issue(tmp_path, "stranger")
    ca = write(tmp_path / "ca.pem", authority.pem)
    files = TlsFiles(certificate=certificate, key=key, client_ca=ca)
    async with guarded(tls=files) as (_, address, url):
        assert await speaks(Client(authority, mine), address, url)
        assert not await speaks(Client(authority, strange), address, url)
        assert not await speaks(Client(authority), address, url)
        write(ca, other.pem)
        assert await speaks(Client(authority, strange), address, url)
        assert not await speaks(Client(authority, mine), address, url)


async def test_connection_that_stands_outlives_its_certificate(tmp_path):
    first, second = Authority(), Authority()
    certificate, key = first.issue(tmp_path)
    async with (
        guarded(tls=TlsFiles(certificate=certificate, key=key)) as (_, address, _url),
        Client(first).channel(address) as channel,
    ):
        images, _ = stubs(channel)
        await images.DescribeCluster(images_pb2.DescribeClusterRequest())
        second.issue(tmp_path)
        await images.DescribeCluster(images_pb2.DescribeClusterRequest())


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
async def test_files_that_make_no_sense_are_refused_at_the_start(tmp_path, content):
    certificate, key = Authority().issue(tmp_path)
    certificate.unlink() if content is None else certificate.write_bytes(content)
    with pytest.raises(InvalidRequest, match="localhost.pem"):
        async with guarded(tls=TlsFiles(certificate=certificate, key=key)):
            pass
