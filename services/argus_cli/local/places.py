"""Where a local cluster's files are: what a document names by a relative path is found beside it.

The services read a copy of the document in a folder of their own, from wherever they were started;
so paths are made absolute before.
"""

from __future__ import annotations

from pathlib import Path

from argus_cli.document import written
from argus_cli.local import runtime
from argus_core.spec import ArgusCluster, LatentStore, Predictor

_DIRECTORY, _BUILTIN = "directory:", "builtin:"


def state_folder(name: str) -> Path:
    """Where a cluster of this name keeps what its predictor learns, from one run to the next."""
    folder = runtime.folder() / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def anchored(text: str, document: ArgusCluster, base: Path) -> str:
    """The document's text, with its relative paths taken from `base`.

    Those are the latent store's directory, the predictor's heads and profile, and its encoder where
    `base` has a directory of that name: it may be a package or a hub's id as well.
    """
    spec = document.spec
    store, predictor = spec.latent_store, spec.predictor
    changes: dict[str, LatentStore | Predictor] = {}
    if store is not None and store.url is not None and store.url.startswith(_DIRECTORY):
        path = _absolute(store.url.removeprefix(_DIRECTORY), base)
        changes["latent_store"] = store.model_copy(update={"url": f"{_DIRECTORY}{path}"})
    names = {}
    if predictor.head is not None and not predictor.head.startswith(_BUILTIN):
        names["head"] = str(_absolute(predictor.head, base))
    if predictor.profile is not None:
        names["profile"] = str(_absolute(predictor.profile, base))
    if _absolute(predictor.encoder, base).is_dir():
        names["encoder"] = str(_absolute(predictor.encoder, base))
    if names:
        changes["predictor"] = predictor.model_copy(update=names)
    if not changes:
        return text
    return written(document.model_copy(update={"spec": spec.model_copy(update=changes)}))


def _absolute(path: str, base: Path) -> Path:
    return (base / Path(path).expanduser()).absolute()
