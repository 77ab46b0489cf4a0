"""The predictor with a real encoder, heads that were trained, labels and neighbours."""

import asyncio
import random
import shutil

import grpc
import pytest

from argus_core.errors import InvalidRequest, NotFound
from argus_core.latents import compatibility
from argus_core.profile.document import parse_profile
from argus_core.spec import parse_cluster
from argus_latents import open_store
from argus_latents.store import Entry
from argus_predictor import heads, service
from argus_predictor.drift import FEWEST
from argus_predictor.encoder import WINDOWS, Encoder
from argus_predictor.host import Host
from argus_predictor.training.making import train
from argus_predictor.training.network import Recipe
from argus_protos.v1 import predictor_pb2
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceStub
from argus_rpc.channel import open_channel
from argus_rpc.errors import from_rpc
from helpers import eventually
from profile_support import document, row

FITS = compatibility("variant=big", steps=8, guidance=2.0, width=48, height=48)
EVERY = {"dear": FITS, "begun": FITS}


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine may take long for what takes a prompt milliseconds otherwise."""
    monkeypatch.setattr(service, "_LONGEST", 60.0)


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder):
    """Two heads: of one measurement and of another, where easy and hard change places."""
    folder, versions = tmp_path_factory.mktemp("heads"), []
    for name in ("one", "other"):
        prompts = [
            row(f"{word} thing number {n}", [0, 1], [1, 1], [1, 1] if easy == name else [0, 0])
            for n in range(60)
            for word, easy in (("plain", "one"), ("intricate", "other"))
        ]
        quality = {**document()["quality"], "prompts": prompts}
        profile = parse_profile(document(quality=quality, starts=[]))
        head = train(profile, embed=encoder.embed, recipe=Recipe(members=2, epochs=8)).head
        versions.append(heads.save(head, folder / name).version)
    return folder, versions


def cluster(folder, head=None, *, store=False):
    rest = {"predictor": {"head": str(head)}} if head else {}
    if store:
        rest["latentStore"] = {"url": f"directory:{folder / 'latents'}"}
    ladder = [
        {**level, "quality": quality, "seconds": {"cpu": seconds}}
        for level, quality, seconds in zip(
            document()["ladder"], (1.0, 0.95, 0.5), (0.1, 0.05, 0.02), strict=True
        )
    ]
    return parse_cluster(
        {
            "apiVersion": "argus.dev/v1alpha1",
            "kind": "ArgusCluster",
            "metadata": {"name": "heads"},
            "spec": {
                "pools": [{"name": "cpu", "workers": 1}],
                "variants": [
                    {"name": name, "model": "builtin:shapes-tiny", "family": "shapes"}
                    for name in ("big", "small")
                ],
                "ladder": ladder,
                **rest,
            },
        }
    )


class Serving:
    """A predictor that serves, and a stub to ask it."""

    def __init__(self, host, channel):
        self.host, self.stub = host, PredictorServiceStub(channel)

    async def predict(self, prompt, **fields):
        request = predictor_pb2.PredictRequest(prompt=prompt, scope="t", **fields)
        return await self.stub.Predict(request, timeout=60)


@pytest.fixture
async def serve(tmp_path):
    """Start predictors; all are stopped with the test."""
    started = []

    async def start(document, *, state=None):
        host = Host(document, address="127.0.0.1:0", state=state)
        channel = open_channel(f"127.0.0.1:{await host.start()}")
        started.append((host, channel))
        return Serving(host, channel)

    yield start
    for host, channel in started:
        await channel.close()
        await host.stop(0)


def by_level(response):
    return {quality.level: quality for quality in response.qualities}


async def test_head_tells_prompts_apart_and_names_itself(serve, trained, tmp_path):
    folder, versions = trained
    serving = await serve(cluster(tmp_path, folder / "one"))
    plain = await serving.predict("plain thing number 7")
    intricate = await serving.predict("intricate thing number 7")
    assert plain.model_version == versions[0]
    assert by_level(plain)["cheap"].basis == predictor_pb2.QUALITY_BASIS_MODEL
    assert by_level(plain)["cheap"].quality > by_level(intricate)["cheap"].quality + 0.3
    assert all(0 <= q.quality <= 1 and 0 <= q.deviation <= 1 for q in intricate.qualities)


async def test_heads_are_swapped_back_and_forth_and_no_prompt_fails(serve, trained, tmp_path):
    folder, versions = trained
    serving = await serve(cluster(tmp_path, folder / "one"), state=tmp_path / "state")
    serving.host.predictor.versions.copy(folder / "other")
    answered, done = [], asyncio.Event()

    async def ask(number):
        while not done.is_set():
            response = await serving.predict(f"plain thing number {number % 9}")
            answered.append((response.model_version, by_level(response)["cheap"].quality > 0.5))

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(ask(number))
        for turn in range(20):
            wanted = versions[1 - turn % 2]
            response = await serving.stub.Reload(
                predictor_pb2.ReloadRequest(model_version=wanted), timeout=60
            )
            assert response.model_version == wanted
        done.set()
    # Each answer is of one head as a whole: what it says is what that head says.
    assert {(version, version == versions[0]) for version, _ in answered} == set(answered)
    assert {version for version, _ in answered} == set(versions)


async def test_head_in_use_outlives_a_restart(serve, trained, tmp_path):
    folder, versions = trained
    first = await serve(cluster(tmp_path, folder / "one"), state=tmp_path / "state")
    first.host.predictor.versions.copy(folder / "other")
    await first.stub.Reload(predictor_pb2.ReloadRequest(model_version=versions[1]), timeout=60)
    again = await serve(cluster(tmp_path, folder / "one"), state=tmp_path / "state")
    assert (await again.predict("x")).model_version == versions[1]


async def test_corrupt_and_unknown_heads_are_refused_and_the_present_one_stays(
    serve, trained, tmp_path
):
    folder, versions = trained
    serving = await serve(cluster(tmp_path, folder / "one"), state=tmp_path / "state")
    spoilt = tmp_path / "state" / "heads" / versions[1]
    shutil.copytree(folder / "other", spoilt)
    data = bytearray((spoilt / "head.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (spoilt / "head.safetensors").write_bytes(data)
    for wanted, kind in ((versions[1], InvalidRequest), ("none-such", NotFound)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await serving.stub.Reload(predictor_pb2.ReloadRequest(model_version=wanted), timeout=60)
        assert isinstance(from_rpc(caught.value), kind)
    assert (await serving.predict("x")).model_version == versions[0]


async def test_labels_that_show_drift_correct_what_is_predicted(serve, trained, tmp_path):
    folder, versions = trained
    serving = await serve(cluster(tmp_path, folder / "one"), state=tmp_path / "state")
    prompt = "plain thing number 7"
    before = by_level(await serving.predict(prompt))["cheap"].quality
    rng = random.Random(3)
    told = before
    # The second time it is held against what is corrected already, and must stay so.
    for _ in range(2):
        measured = [before - 0.3 + rng.gauss(0, 0.05) for _ in range(3 * FEWEST)]
        labels = [
            predictor_pb2.Label(
                prompt=prompt, level="cheap", quality=min(1, max(0, quality)),
                predicted_quality=told, metric="shapes", model_version=versions[0],
            )
            for quality in measured
        ]  # fmt: skip
        await serving.stub.AddLabels(predictor_pb2.AddLabelsRequest(labels=labels), timeout=60)
        told = by_level(await serving.predict(prompt))["cheap"].quality
        assert told == pytest.approx(before - 0.3, abs=0.05)
    after = told
    again = await serve(cluster(tmp_path, folder / "one"), state=tmp_path / "state")
    assert by_level(await again.predict(prompt))["cheap"].quality == pytest.approx(after, abs=1e-6)


async def test_kept_latent_is_found_by_its_own_scope_and_compatibility_alone(
    serve, encoder, tmp_path
):
    document = cluster(tmp_path, store=True)
    serving = await serve(document)
    store = open_store(document.spec.latent_store)
    prompt = "a large red circle"
    embedding = encoder.embed([prompt])[0].astype("<f2").tobytes()
    entry = Entry(
        key="a" * 32, scope="t", compatibility=FITS, steps=(4,), embedding=embedding,
        encoder=encoder.name, bytes=5, seconds_per_step=0.01, created=0.0, expires=4e9,
    )  # fmt: skip
    await store.put(entry, {4: b"12345"})

    async def found():
        response = await serving.predict(prompt, compatibility=EVERY)
        return (
            by_level(response)["begun"] if by_level(response)["begun"].HasField("start") else None
        )

    begun = await eventually(found)
    assert (begun.start.key, begun.start.step) == (entry.key, 4)
    assert begun.start.similarity > 0.999
    others = await serving.predict(prompt, compatibility={"begun": FITS.replace("48x48", "64x64")})
    assert not by_level(others)["begun"].HasField("start")
    request = predictor_pb2.PredictRequest(prompt=prompt, scope="u", compatibility=EVERY)
    foreign = await serving.stub.Predict(request, timeout=60)
    assert not by_level(foreign)["begun"].HasField("start")
    await store.close()


async def test_embedding_is_sent_where_it_is_asked_for(serve, encoder, tmp_path):
    serving = await serve(cluster(tmp_path, store=True))
    told = await serving.predict("a red circle", with_embedding=True)
    assert told.embedding == encoder.embed(["a red circle"])[0].astype("<f2").tobytes()
    assert told.encoder == encoder.name
    assert not (await serving.predict("a red circle")).embedding


async def test_what_is_too_long_to_read_is_told(serve, tmp_path):
    serving = await serve(cluster(tmp_path, store=True))
    room = 254 * WINDOWS
    assert (await serving.predict("a " * room)).tokens_left_out == 0
    assert (await serving.predict("a " * (room + 5))).tokens_left_out == 5


CORPUS = {
    "empty": "",
    "blank": " \n\t ",
    "100 kB": "x" * 100_000,
    "8 kB without a space": "x" * 8192,
    "emoji": "🦊🎨" * 200,
    "family of joined emoji": "👨‍👩‍👧‍👦" * 50,
    "right to left": "دائرة حمراء كبيرة فوق مربع أزرق",
    "marks of direction": "\u202ea red circle\u202c \u2066x\u2069",
    "control characters": "".join(map(chr, range(1, 32))) + " circle",
    "NUL": "a\0red circle",
    "Chinese": "一只红色的大圆圈",
    "Thai": "วงกลมสีแดง",
    "combining": "e" + "\u0301" * 2000,
    "one letter": "a",
    "markup": "<script>{{7*7}}</script> %s %n ${x}",
    "surrogate-range neighbours": "\ud7ff\ue000\uffff\U0010ffff",
}


@pytest.mark.parametrize("name", CORPUS)
async def test_any_prompt_gets_an_answer_or_its_field_is_named(serve, tmp_path, name):
    serving = await serve(cluster(tmp_path, store=True))
    prompt = CORPUS[name]
    try:
        response = await serving.predict(prompt, compatibility=EVERY, with_embedding=True)
    except grpc.aio.AioRpcError as error:
        meaning = from_rpc(error)
        assert isinstance(meaning, InvalidRequest), meaning
        assert [violation.field for violation in meaning.violations] == ["prompt"]
        assert not prompt.strip() or len(prompt.encode()) > 8192
    else:
        assert [quality.level for quality in response.qualities] == ["dear", "begun", "cheap"]
        assert len(response.embedding) == 2 * 384


async def test_who_cannot_be_answered_in_time_is_refused_at_once(serve, tmp_path, monkeypatch):
    serving = await serve(cluster(tmp_path, store=True))
    monkeypatch.setattr(service, "_LONGEST", 1.0)
    request = [
        predictor_pb2.PredictRequest(prompt=f"a red circle and {n} words " + "more " * 900)
        for n in range(300)
    ]
    ended = await asyncio.gather(
        *(serving.stub.Predict(each, timeout=3.0) for each in request), return_exceptions=True
    )
    codes = [each.code() for each in ended if isinstance(each, grpc.aio.AioRpcError)]
    answered = len(ended) - len(codes)
    allowed = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert answered
    assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes
    assert set(codes) <= allowed
    monkeypatch.setattr(service, "_LONGEST", 60.0)
    assert by_level(await serving.predict("a red circle"))["dear"].quality == 1
