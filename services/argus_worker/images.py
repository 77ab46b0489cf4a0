"""Pictures as files."""

from __future__ import annotations

import io

from PIL.Image import Image

from argus_protos.v1 import cluster_pb2

_PNG = cluster_pb2.IMAGE_FORMAT_PNG
_OPTIONS: dict[int, tuple[str, dict[str, int]]] = {
    # Higher levels take several times as long for a few per cent.
    _PNG: ("PNG", {"compress_level": 4}),
    cluster_pb2.IMAGE_FORMAT_WEBP: ("WEBP", {"quality": 90}),
    cluster_pb2.IMAGE_FORMAT_JPEG: ("JPEG", {"quality": 92}),
}


def encode(picture: Image, wanted: cluster_pb2.ImageFormat.ValueType) -> cluster_pb2.Image:
    """The picture in the format wanted, PNG where none is."""
    chosen = wanted if wanted in _OPTIONS else _PNG
    name, options = _OPTIONS[chosen]
    file = io.BytesIO()
    picture.convert("RGB").save(file, name, **options)
    return cluster_pb2.Image(
        format=chosen,
        size=cluster_pb2.Size(width=picture.width, height=picture.height),
        data=file.getvalue(),
    )
