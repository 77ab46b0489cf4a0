"""The ArgusCluster document, `argus.dev/v1alpha1`: one document for Kubernetes and `argus up`.

Field names are camelCase in documents and snake_case here. Unknown fields are refused, and
every error names the field's path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from argus_core import checked, habits
from argus_core.errors import InvalidRequest, Violation
from argus_core.spec_engine import Attention, Compile, Lora, Quantization, StepCacheText
from argus_core.spec_kubernetes import (
    ApiKeys,
    CompileVolume,
    InternalTls,
    ModelVolume,
    ObjectName,
    Observability,
    PlanningRules,
    PodTemplate,
    ResourceName,
    RouterTls,
)
from argus_core.spec_model import Model, Name, Seconds, Share
from argus_core.spec_tenants import Faults, Quota, Tenant
from argus_core.step_cache import parse as parse_step_cache

API_VERSION = "argus.dev/v1alpha1"
KIND = "ArgusCluster"

MetricName = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^\S+$")]
"""One of `argus_metrics`, with its model behind a colon where one is chosen, or a URL."""
ClusterName = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")
]
"""Short, as the names of what belongs to the cluster begin with it."""


class ProfileSource(Model):
    """Where a profile document is, whose figures take the place of the ladder's."""

    config_map_name: ObjectName | None = None
    """Of a ConfigMap, in Kubernetes."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = (
        "profile.json"
    )
    """The ConfigMap's entry."""
    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """A file, for `argus up`; a relative path begins at the document."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> ProfileSource:
        if self.config_map_name is None and self.path is None:
            raise ValueError("configMapName: give one, or path of a file, which argus up reads")
        return self


class Slo(Model):
    """What is promised to a request that names nothing of its own."""

    deadline_seconds: Seconds = 30.0
    """From arrival until the image is there."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of requests that must meet their deadline."""
    availability_target: Annotated[float, Field(gt=0, lt=1)] = 0.999
    """Share of requests that no fault of ours may fail."""
    good_quality: Share = 0.5
    """Predicted quality from which on an image is a good one."""
    quality_target: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Share of images drawn that must be good."""
    minimum_quality: Share = 0.0
    """Predicted quality below which nothing is served."""


class Pool(Model):
    """Identical workers, one device each: the budget."""

    name: Name
    workers: Annotated[int, Field(ge=1, le=10_000)]
    """How many; never exceeded."""
    gpu_type: str = "cpu"
    """Device type that profiles are measured by, such as `h100`; `cpu` for none."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """CPU threads of a worker's engine; more than its share of cores makes all slower."""
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    """Requests that a worker denoises at once; fewer where a level's `batches` say so."""
    resource_name: ResourceName | None = None
    """What a worker's pod asks for one of, in Kubernetes; None for `nvidia.com/gpu`, or for nothing
    where the GPU type is `cpu`."""
    pod_template: PodTemplate = PodTemplate()


class Variant(Model):
    """A model that workers can load."""

    name: Name
    model: Annotated[str, Field(min_length=1, max_length=4096)]
    """`builtin:NAME` for the small family, a directory, or a hub id."""
    family: Name
    """How it is driven: `shapes`, `sdxl`, `flux` and more, see docs/families.md."""
    revision: str | None = None
    """Hub revision; None for the newest."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Of the weights on the device."""
    loras: Annotated[tuple[Lora, ...], Field(max_length=8)] = ()
    """Added to the model's weights, in this order."""
    quantization: Quantization | None = None
    """Of the weights of the denoiser's blocks: `int8` halves float16's; None for none."""
    attention: Attention = "auto"
    """Kernels of the denoiser's attention; `auto` takes the quickest found when it is loaded."""
    compile: Compile = "auto"
    """Whether its blocks are compiled before it serves; `auto` is on a GPU alone."""
    minimum_workers: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Workers that the plan leaves it, unless more than 1 % of the requests would be shed for that.
    One is enough for a request that names a level of it."""
    maximum_workers: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Workers that the plan gives it at most; None for no bound."""

    @model_validator(mode="after")
    def _has_room(self) -> Variant:
        if self.maximum_workers is not None and self.maximum_workers < self.minimum_workers:
            raise ValueError(f"maximumWorkers: must be {self.minimum_workers} or more")
        return self


class Level(Model):
    """One way of serving a prompt; listed from dearest to cheapest."""

    name: Name
    variant: Name
    steps: Annotated[int, Field(ge=1, le=1000)]
    """Of the whole schedule."""
    skipped_steps: Annotated[int, Field(ge=0, le=999)] = 0
    """Steps that a cached latent stands in for."""
    guidance_scale: Annotated[float, Field(ge=0, le=50)] = 1.0
    """1 for none."""
    step_cache: StepCacheText | None = None
    """How work is skipped within steps, such as `taylorseer:interval=5`; None for not at all."""
    quality: Share
    """Mean over prompts, relative to the best level."""
    seconds: Annotated[dict[str, Seconds], Field(min_length=1)]
    """Seconds per image at the default size, by GPU type."""
    batches: dict[str, Annotated[tuple[float, ...], Field(min_length=1, max_length=64)]] = Field(
        default={}
    )
    """By GPU type: what 1, 2, ... images at once take, relative to one alone; rising from 1, never
    beyond their number. Where nothing is said as many are drawn at once as there are slots."""

    @model_validator(mode="after")
    def _batches_may_be(self) -> Level:
        for gpu_type, batches in self.batches.items():
            pairs = pairwise(batches)
            if batches[0] != 1 or not all(a <= b <= a + 1 for a, b in pairs):
                raise ValueError(
                    f"batches.{gpu_type}: must begin with 1 and rise by 0 to 1, are {[*batches]}"
                )
        return self

    @model_validator(mode="after")
    def _leaves_a_step(self) -> Level:
        if self.skipped_steps >= self.steps:
            raise ValueError(f"skippedSteps: must be below steps ({self.steps})")
        if self.step_cache is not None:
            if self.skipped_steps:
                raise ValueError("stepCache: not where steps are skipped: it counts them from 0")
            parse_step_cache(self.step_cache)
        return self


class Router(Model):
    """The routers."""

    grpc_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 takes a free port."""
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 takes a free port."""
    max_queued: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Images waiting, over all variants; more are refused, but for tenants with less than their
    share waiting: of those a quarter more may."""
    max_queued_bytes: Annotated[int, Field(ge=1, le=2**40)] = 64 * 1024 * 1024
    """Of what waits: prompts, and what is kept with them; likewise."""
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Connections that clients hold to each front at once; more are turned away."""
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Times that an image is begun before a lost worker fails it."""
    logged_share: Share = 0.001
    """Of the requests, for how many the log tells what was decided and why."""
    log_prompts: bool = False
    """Whether it may tell their prompts, too."""
    faults: Faults = Faults()
    tls: RouterTls | None = None
    """None: both fronts listen without."""
    api_keys: ApiKeys | None = None
    """None: everybody who can reach them may come in."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """Routers, in Kubernetes."""
    pod_template: PodTemplate = PodTemplate()


class Predictor(Model):
    """What tells a prompt's quality at every level, and finds latents to start from."""

    encoder: Annotated[str, Field(min_length=1, max_length=4096)] = "all-MiniLM-L6-v2"
    """Sentence encoder: one that comes as a package, a directory, or a hub id."""
    head: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """Directory of trained heads (`argus train-predictor`), or `builtin:shapes`; None answers with
    the ladder's means."""
    profile: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """Profile document (`argus profile`) that the head is trained anew from, together with what
    served images turned out to be worth; None keeps the head."""
    scored_share: Share = 0.0
    """Of the images served, how many are judged on spare worker time."""
    metric: MetricName = "shapes"
    """By which they are judged."""
    replicas: Annotated[int, Field(ge=0, le=1)] = 1
    """Predictors, in Kubernetes; with 0 the ladder's means serve."""
    pod_template: PodTemplate = PodTemplate()


class LatentStore(Model):
    """Where half-denoised latents are kept for later prompts to start from."""

    url: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """`directory:PATH`, or `redis://...`; None where the environment tells it, see
    `argus_latents.opening`."""
    secret_name: ObjectName | None = None
    """Of a Secret, in Kubernetes: its `url`, where none is given here, and what checksums are keyed
    with, `checksum-key`, if it has one."""
    max_bytes: Annotated[int, Field(ge=1)] = 2**30
    """What the latents may take."""
    time_to_live_seconds: Annotated[float, Field(gt=0, le=31_536_000)] = 86_400.0
    """How long a latent may be used."""
    shared: bool = False
    """Whether tenants share latents. Prompts then leak from one to another, and one can spoil
    another's pictures."""
    claim_name: ObjectName | None = None
    """Of the volume that holds the directory, in Kubernetes; None for one that each pod has for
    itself, so that nothing is shared."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> LatentStore:
        if self.url is None and self.secret_name is None:
            raise ValueError("url: give one, or secretName of a Secret that holds it")
        return self


class ImageSize(Model):
    """Pixels."""

    width: Annotated[int, Field(ge=1, le=8192)]
    height: Annotated[int, Field(ge=1, le=8192)]


class ClusterSpec(Model):
    """What the cluster shall be."""

    slo: Slo = Slo()
    pools: Annotated[tuple[Pool, ...], Field(min_length=1, max_length=64)]
    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=64)]
    ladder: Annotated[tuple[Level, ...], Field(max_length=256)] = ()
    """From dearest to cheapest. Left out: the profile's levels of these variants, or where there is
    no profile what is commonly drawn with models of their families; `parse_cluster` fills it in."""
    profile: ProfileSource | None = None
    """Where figures of the levels come from; None: from the ladder itself."""
    default_size: ImageSize = ImageSize(width=1024, height=1024)
    router: Router = Router()
    predictor: Predictor = Predictor()
    tenants: Annotated[tuple[Tenant, ...], Field(max_length=1000)] = ()
    """Those that are named; others are let in too."""
    tenant_defaults: Quota = Quota()
    """Of each that is not named."""
    latent_store: LatentStore | None = None
    """None: no level with skipped steps ever opens."""
    planning: PlanningRules = PlanningRules()
    model_volume: ModelVolume | None = None
    compile_volume: CompileVolume | None = None
    internal_tls: InternalTls | None = None
    """None: routers, workers and the predictor speak plainly with each other."""
    observability: Observability = Observability()

    @model_validator(mode="before")
    @classmethod
    def _size_of_the_only_pool(cls, data: Any) -> Any:
        """`workers` beside `pools` is the only pool's: what `kubectl scale` sets."""
        if not isinstance(data, dict) or "workers" not in data:
            return data
        workers, pools = data["workers"], data.get("pools")
        pool = pools[0] if isinstance(pools, list) and len(pools) == 1 else None
        if not isinstance(pool, dict) or "workers" in pool:
            raise ValueError("workers: only where there is one pool, which has none of its own")
        rest = {key: value for key, value in data.items() if key != "workers"}
        return {**rest, "pools": [{**pool, "workers": workers}]}

    @model_validator(mode="after")
    def _holds_together(self) -> ClusterSpec:
        for field, names in (
            ("pools", (pool.name for pool in self.pools)),
            ("variants", (variant.name for variant in self.variants)),
            ("ladder", (level.name for level in self.ladder)),
            ("tenants", (tenant.name for tenant in self.tenants)),
        ):
            _refuse_twins(field, names)
        known = {variant.name for variant in self.variants}
        types = {pool.gpu_type for pool in self.pools}
        for level in self.ladder:
            if level.variant not in known:
                raise ValueError(f"ladder[{level.name}].variant: no variant {level.variant!r}")
            if missing := types - level.seconds.keys():
                raise ValueError(f"ladder[{level.name}].seconds: none for {sorted(missing)}")
        unused = known - {level.variant for level in self.ladder}
        if unused and self.ladder:
            raise ValueError(f"variants: no level of the ladder uses {sorted(unused)}")
        return self

    def variant(self, name: str) -> Variant:
        """The variant of this name; KeyError where there is none."""
        return next(v for v in self.variants if v.name == name)


class Metadata(Model):
    """Kubernetes' own; only what Argus reads, the rest is let through."""

    model_config = ConfigDict(extra="allow")

    name: ClusterName
    namespace: Name = "default"


class ArgusCluster(Model):
    """The whole document."""

    api_version: Literal["argus.dev/v1alpha1"]
    kind: Literal["ArgusCluster"]
    metadata: Metadata
    spec: ClusterSpec
    status: Annotated[dict[str, Any] | None, Field(repr=False)] = None
    """Written by the operator; read by no one here."""


def parse_cluster(document: Any) -> ArgusCluster:
    """Check a document, as YAML or JSON gives it; a ladder that it leaves out is filled in.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    try:
        cluster = ArgusCluster.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(checked.violations(error, ArgusCluster)) from error
    return cluster if cluster.spec.ladder else with_ladder(cluster, _commonly_drawn(cluster.spec))


def parse_stored(document: dict[str, Any]) -> tuple[ArgusCluster, list[str]]:
    """As `parse_cluster`, of what an API server holds: unknown fields are passed over.

    It has checked the document by its own resource, which may be newer than this code.

    Returns:
        The cluster, and the paths of what was passed over.

    Raises:
        InvalidRequest: naming every other field that is wrong.
    """
    try:
        return parse_cluster(document), []
    except InvalidRequest as error:
        unknown = _unknown(error.__cause__)
        if not unknown:
            raise
    known = deepcopy(document)
    for *above, name in unknown:
        part: Any = known
        for step in above:
            part = part[step]
        del part[name]
    return parse_cluster(known), [checked.path(location) for location in unknown]


def _unknown(error: BaseException | None) -> list[tuple[int | str, ...]]:
    """Where a document has fields that there are not."""
    if not isinstance(error, ValidationError):
        return []
    return [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]


def is_automatic(document: Mapping[str, Any]) -> bool:
    """Whether a sound document leaves its ladder to Argus."""
    return not document["spec"].get("ladder")


def with_ladder(cluster: ArgusCluster, ladder: Iterable[Level]) -> ArgusCluster:
    """The cluster with another ladder."""
    spec = cluster.spec.model_copy(update={"ladder": tuple(ladder)})
    return cluster.model_copy(update={"spec": spec})


def _commonly_drawn(spec: ClusterSpec) -> list[Level]:
    found = habits.levels(
        ((variant.name, variant.family) for variant in spec.variants),
        gpu_types=list(dict.fromkeys(pool.gpu_type for pool in spec.pools)),
        pixels=spec.default_size.width * spec.default_size.height,
        stored=spec.latent_store is not None,
    )
    try:
        return [Level.model_validate(level) for level in found]
    except ValidationError as error:
        # A variant's name may leave no room for its steps.
        problems = [f"{item['input']}: {item['msg']}" for item in error.errors()]
        raise InvalidRequest([Violation("spec.ladder", f"give one: {problems[0]}")]) from error


def only_in_kubernetes(spec: ClusterSpec) -> list[str]:
    """Fields that the document sets and that only the operator heeds, by path."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    parts = {
        **{f"pools[{pool['name']}]": pool for pool in said["pools"]},
        **{f"variants[{variant['name']}]": variant for variant in said["variants"]},
        **{key: said.get(key) or {} for key in ("router", "predictor", "latentStore", "profile")},
    }
    theirs = (
        *("resourceName", "podTemplate", "replicas", "claimName", "secretName"),
        *("tls", "apiKeys", "configMapName"),
    )
    found = [f"{part}.{field}" for part, has in parts.items() for field in theirs if field in has]
    whole = [
        key
        for key in ("modelVolume", "compileVolume", "internalTls", "observability")
        if key in said
    ]
    return found + whole


def _refuse_twins(field: str, names: Iterable[str]) -> None:
    if twins := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"{field}: names must be unique, {twins} are not")
