"""Small models and services for the tests of metrics."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from argus_shapes.captions import parse
from argus_shapes.painter import arrange, paint
from engine_support import _tokenizer


def painted(caption: str, seed: int = 1) -> Image.Image:
    """The picture that a caption asks for, as the painter paints it."""
    pixels = paint([arrange(random.Random(seed), parse(caption))])[0]
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))


def save_clip(folder: Path, *, safe: bool = True) -> Path:
    """A model of CLIP's classes with a few thousand random weights, and its processor."""
    torch.manual_seed(0)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"vocab_size": 514, "hidden_size": 16, "intermediate_size": 32, "eos_token_id": 513}
    vision = {"image_size": 32, "patch_size": 8, "hidden_size": 16, "intermediate_size": 32}
    config = CLIPConfig(
        text_config=text | layers | {"bos_token_id": 512, "pad_token_id": 513},
        vision_config=vision | layers,
        projection_dim=8,
    )
    model = CLIPModel(config)
    if safe:
        model.save_pretrained(folder)
    else:
        config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPProcessor(CLIPImageProcessor(**sizes), _tokenizer()).save_pretrained(folder)
    return folder


@contextmanager
def answering(answer: Callable[[dict], tuple[int, bytes | dict]]):
    """The URL of a service that answers by `answer`, and what it was asked."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = answer(asked[-1])
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/score", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def opened(image: str) -> Image.Image:
    """An image as a service gets it."""
    return Image.open(io.BytesIO(base64.b64decode(image)))
