"""A whole predictor, put together from the cluster's document."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from argus_core.spec import ArgusCluster
from argus_latents import open_store
from argus_predictor.answer import Answers
from argus_predictor.drift import Drift
from argus_predictor.encoder import Encoder
from argus_predictor.labels import Labels
from argus_predictor.metrics import Metrics
from argus_predictor.neighbours import Neighbours
from argus_predictor.retrain import Retraining
from argus_predictor.service import Predictor
from argus_predictor.versions import Versions
from argus_protos.v1.predictor_pb2_grpc import add_PredictorServiceServicer_to_server
from argus_rpc.meanwhile import call_off
from argus_rpc.metrics import Exposition
from argus_rpc.peers import Peers
from argus_rpc.server import Server

log = logging.getLogger(__name__)

_AGAIN = 5.0
"""Seconds before the store is followed anew after a fault of our own."""
_COUNTED = 5.0
"""Seconds between counts of what is known."""


class Host:
    """A predictor's server and what runs beside it: `start` once, `stop` once.

    Without a head and without a latent store it answers with the priors, and needs no encoder.
    """

    def __init__(
        self,
        cluster: ArgusCluster,
        *,
        address: str,
        state: Path | None = None,
        metrics_port: int | None = None,
        peers: Peers | None = None,
        probe: str | None = None,
    ) -> None:
        """Load what the document names.

        Args:
            cluster: the document.
            address: HOST:PORT to listen on.
            state: folder of labels and heads; None learns nothing.
            metrics_port: for Prometheus, on the loopback's or the address's host; 0 takes a free
                one, None is for none.
            peers: who may speak with it; None for whoever can reach it, without encryption.
            probe: HOST:PORT for gRPC's health alone, of those who have no certificate; None for
                nowhere.

        Raises:
            InvalidRequest, NotBuilt: the encoder cannot be had, or a file of the peers'.
        """
        spec = cluster.spec
        self._address, self._metrics_port = address, metrics_port
        self.exposition: Exposition | None = None
        """Of the metrics, once they are shown; None where nobody asked for them."""
        reads = spec.predictor.head is not None or spec.latent_store is not None
        encoder = Encoder.load(spec.predictor.encoder) if reads else None
        self._store = self._neighbours = None
        if spec.latent_store is not None and encoder is not None:
            self._store = open_store(spec.latent_store)
            self._neighbours = Neighbours(
                ladder=spec.ladder, encoder=encoder.name, dimensions=encoder.dimensions
            )
        drift = Drift(level.name for level in spec.ladder)
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
        labels = None if state is None else Labels(state / "labels.sqlite")
        versions = None
        if encoder is not None and (state is not None or spec.predictor.head is not None):
            versions = Versions(state and state / "heads", given=spec.predictor.head)
        self.predictor = Predictor(
            answers=Answers(
                spec.ladder,
                encoder=encoder.name if encoder else "",
                neighbours=self._neighbours,
                bias=drift,
            ),
            encoder=encoder,
            drift=drift,
            metrics=Metrics(level.name for level in spec.ladder),
            labels=labels,
            versions=versions,
        )
        self._retraining = None
        if state is not None and spec.predictor.profile is not None and encoder is not None:
            profile = Path(spec.predictor.profile)
            self._retraining = Retraining(self.predictor, profile=profile, scratch=state)
        self._server = Server(
            address=address,
            servicers=[(add_PredictorServiceServicer_to_server, self.predictor)],
            services=["argus.v1.PredictorService"],
            credentials=peers.asked() if peers else None,
            probe=probe,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Begin to answer; returns the port.

        Raises:
            InvalidRequest: the document's head cannot be used.
            Unavailable: the address cannot be had.
        """
        self.predictor.start()
        port = await self._server.start()
        if self._metrics_port is not None:
            host = self._address.rpartition(":")[0]
            registry = self.predictor.metrics.registry
            self.exposition = Exposition(registry, host, self._metrics_port)
        if self._store is not None:
            self._tasks.append(asyncio.create_task(self._follow()))
            self._tasks.append(asyncio.create_task(self._count()))
        if self._retraining is not None:
            self._tasks.append(asyncio.create_task(self._retraining.run()))
        await self._server.set_serving(True)
        return port

    async def stop(self, grace: float) -> None:
        """Give calls under way so many seconds, then end."""
        await call_off(self._tasks)
        await self._server.stop(grace)
        self.predictor.close()
        if self.exposition is not None:
            await asyncio.to_thread(self.exposition.close)
        if self._store is not None:
            await self._store.close()

    async def _follow(self) -> None:
        """Follow the store for ever; a fault costs news of it, and no answer."""
        assert self._store is not None, "started with one"
        assert self._neighbours is not None, "made with the store"
        while True:
            try:
                await self._neighbours.follow(self._store)
            except Exception:
                log.exception("following the latent store broke; again in %g s", _AGAIN)
            await asyncio.sleep(_AGAIN)

    async def _count(self) -> None:
        assert self._neighbours is not None, "made with the store"
        while True:
            self.predictor.metrics.entries.set(len(self._neighbours))
            if (answers := self._neighbours.store_answers) is not None:
                self.predictor.metrics.store(answers=answers)
            await asyncio.sleep(_COUNTED)
