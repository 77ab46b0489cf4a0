"""A BERT's weights as an ONNX graph of fused operators: token ids to the mean of their vectors.

Built node by node rather than exported, so that it needs no torch. There is no padding and so no
mask: texts of one length only are read together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

IDS, MEAN = "ids", "mean"
_FUSED = "com.microsoft"

Weights = Mapping[str, NDArray[Any]]


class UnknownModel(Exception):
    """The model is no plain BERT; the message says why."""


def build(config: Mapping[str, Any], weights: Weights) -> bytes:
    """The model, serialised: `ids` int32 [texts, tokens] to `mean` float32 [texts, hidden].

    Raises:
        UnknownModel: it is of another architecture.
    """
    try:
        if config["model_type"] != "bert" or config["hidden_act"] != "gelu":
            raise UnknownModel(f"a {config['model_type']} with {config['hidden_act']}")
        return _Builder(config, weights).model()
    except KeyError as error:
        raise UnknownModel(f"it has no {error}") from error


class _Builder:
    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._config, self._weights = config, weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def model(self) -> bytes:
        hidden = self._embedded()
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(f"encoder.layer.{layer}", hidden)
        self._nodes.append(
            helper.make_node("ReduceMean", [hidden], [MEAN], axes=[1], keepdims=0)
        )  # fmt: skip
        width = self._config["hidden_size"]
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(IDS, TensorProto.INT32, ["texts", "tokens"])],
            [helper.make_tensor_value_info(MEAN, TensorProto.FLOAT, ["texts", width])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString()

    def _embedded(self) -> str:
        base = "embeddings"
        tables = ("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm")
        names = [self._own(f"{base}.{table}.weight") for table in tables]
        # Segment ids are left out; all are of the first segment, as zeros say.
        self._nodes.append(helper.make_node("Sub", [IDS, IDS], ["segments"]))
        return self._add(
            "EmbedLayerNormalization",
            [IDS, "segments", *names, self._own(f"{base}.LayerNorm.bias")],
            extra=["lengths"],
            epsilon=self._config["layer_norm_eps"],
        )

    def _layer(self, at: str, hidden: str) -> str:
        own = f"{at}.attention.self"
        parts = ("query", "key", "value")
        weight = np.concatenate([self._weights[f"{own}.{p}.weight"].T for p in parts], axis=1)
        bias = np.concatenate([self._weights[f"{own}.{p}.bias"] for p in parts])
        seen = self._add(
            "Attention",
            [hidden, self._keep(f"{own}.weight", weight), self._keep(f"{own}.bias", bias)],
            num_heads=self._config["num_attention_heads"],
        )
        mixed = self._residual(
            f"{at}.attention.output", self._times(seen, at, "attention.output.dense"), hidden
        )
        wide = self._times(mixed, at, "intermediate.dense")
        bent = self._add("BiasGelu", [wide, self._own(f"{at}.intermediate.dense.bias")])
        return self._residual(f"{at}.output", self._times(bent, at, "output.dense"), mixed)

    def _residual(self, at: str, value: str, skipped: str) -> str:
        names = [f"{at}.LayerNorm.weight", f"{at}.LayerNorm.bias", f"{at}.dense.bias"]
        return self._add(
            "SkipLayerNormalization",
            [value, skipped, *map(self._own, names)],
            epsilon=self._config["layer_norm_eps"],
        )

    def _times(self, value: str, at: str, dense: str) -> str:
        name = f"{at}.{dense}.weight"
        return self._add("MatMul", [value, self._keep(name, self._weights[name].T)], domain="")

    def _add(
        self, kind: str, inputs: list[str], *, extra: list[str] | None = None,
        domain: str = _FUSED, **attributes: Any,
    ) -> str:  # fmt: skip
        out = f"{kind}_{len(self._nodes)}"
        node = helper.make_node(kind, inputs, [out, *(extra or [])], domain=domain, **attributes)
        self._nodes.append(node)
        return out

    def _own(self, name: str) -> str:
        return self._keep(name, self._weights[name])

    def _keep(self, name: str, value: NDArray[Any]) -> str:
        array = np.ascontiguousarray(value, np.float32)
        self._constants[name] = numpy_helper.from_array(array, name)
        return name
