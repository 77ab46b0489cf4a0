"""Latents become pictures on a thread of their own, while the engine denoises what comes next.

On a GPU its kernels go to a stream beside the engine's; on a CPU both threads compute with as many
threads each. One latent is decoded at a time, in the order in which they were handed over, and a
family's VAE is this thread's alone but for previews, which take `alone`. What waits is bounded:
room is waited for before anything is handed over.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from PIL.Image import Image

from argus_worker import failures
from argus_worker.job import Running

log = logging.getLogger(__name__)

Done = Callable[[Running, Image | Exception | None], None]
"""Hears of a picture, why there is none, or None where nobody waits for it any more."""


class Decoder:
    """Decodes; made on any thread, handed to by one."""

    def __init__(
        self,
        *,
        device: torch.device,
        threads: int,
        room: int,
        measured: Callable[[Running], AbstractContextManager[None]],
        done: Done,
    ) -> None:
        """Nothing happens before `start`.

        Args:
            device: where latents are.
            threads: on a CPU.
            room: latents that may wait; one more is being decoded.
            measured: put around each decoding.
            done: called on the decoder's thread, once for each that was handed over.
        """
        self._device, self._threads = device, threads
        self._measured, self._done = measured, done
        self._waiting: queue.Queue[Running | None] = queue.Queue()
        self._room = threading.BoundedSemaphore(room + 1)
        self._vae = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """End the thread once all is decoded, waiting `grace` seconds at most."""
        self._waiting.put(None)
        self._thread.join(grace)

    def make_room(self) -> None:
        """Wait for room; it is the caller's until it hands something over."""
        self._room.acquire()

    def hand(self, running: Running) -> None:
        """Have its latent decoded, where room was made; nobody else may touch it any more."""
        self._waiting.put(running)

    def settle(self) -> None:
        """Wait until nothing is left to decode."""
        self._waiting.join()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While this lasts no VAE is used by the decoder; some keep what is one decoding's."""
        with self._vae:
            yield

    def _run(self) -> None:
        torch.set_num_threads(self._threads)
        with torch.inference_mode(), self._stream():
            while self._next():
                pass

    # A method of its own: a local that outlived it would keep the last latent while this waits.
    def _next(self) -> bool:
        running = self._waiting.get()
        try:
            if running is None:
                return False
            self._done(running, self._outcome(running))
        except Exception:
            log.exception("what came of a decoding could not be told")
        finally:
            self._waiting.task_done()
        self._room.release()
        return True

    def _outcome(self, running: Running) -> Image | Exception | None:
        if running.job.cancelled:
            return None
        try:
            return self._decoded(running)
        except Exception as error:  # noqa: BLE001 - one order's failure is its own
            if not failures.is_out_of_memory(error):
                return error
            # Its frames hold the very tensors that did not fit.
            error.__traceback__ = None
            failures.free_memory()
            return error

    def _decoded(self, running: Running) -> Image:
        family = running.job.order.held.family
        with self.alone(), self._measured(running):
            return family.decode(running.sample.latent)

    def _stream(self) -> AbstractContextManager[None]:
        if self._device.type != "cuda":
            return nullcontext()
        stream: AbstractContextManager[None] = torch.cuda.stream(torch.cuda.Stream(self._device))
        return stream
