"""The student at work: two small matrices in NumPy, no torch, no hypergraph; saved as plain arrays, or as ONNX."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parataxis.errors import BadInput
from parataxis.files import write_atomic

FORMAT = "parataxis light-hgnn student 2"
OPSET, IR = 17, 8  # of ONNX: what runtimes since 2022 read


@dataclass(frozen=True)
class Student:
    """max(x A + a, 0) B + b, the logits; BatchNorm is folded into B and b, since it comes after the ReLU.

    classes: their names, in the order of the columns of B. unit: rows of x are scaled to sum 1 first. columns: names of
    the features, where these have any.
    """

    a_weight: Float[np.ndarray, "feature hidden"]
    a_bias: Float[np.ndarray, " hidden"]
    b_weight: Float[np.ndarray, "hidden class"]
    b_bias: Float[np.ndarray, " class"]
    classes: tuple[Any, ...]
    unit: bool
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any, classes: Sequence[Any], unit: bool) -> "Student":
        """Of a trained `VertexMLP`."""
        state = {name: each.detach().double().cpu().numpy() for name, each in model.state_dict().items()}
        scale = state["norm.weight"] / np.sqrt(state["norm.running_var"] + model.norm.eps)
        shift = state["norm.bias"] - state["norm.running_mean"] * scale
        b_weight = state["second.weight"] * scale
        parts = (
            state["first.weight"].T,
            state["first.bias"],
            b_weight.T,
            state["second.bias"] + state["second.weight"] @ shift,
        )
        a, a_bias, b, b_bias = (np.ascontiguousarray(each, np.float32) for each in parts)
        return cls(a, a_bias, b, b_bias, tuple(classes), unit)

    @property
    def features(self) -> int:
        return len(self.a_weight)

    def one(self, x: Float[np.ndarray, " feature"]) -> Float[np.ndarray, " class"]:
        """The logits of one vertex, unchecked: x is float32, and scaled as in training."""
        hidden = x @ self.a_weight
        hidden += self.a_bias
        np.maximum(hidden, 0, out=hidden)
        logits: Float[np.ndarray, " class"] = hidden @ self.b_weight
        logits += self.b_bias
        return logits

    def one_sparse(
        self, columns: Int[np.ndarray, " nonzero"], values: Float[np.ndarray, " nonzero"]
    ) -> Float[np.ndarray, " class"]:
        """The same from the values that are not 0 and their columns."""
        hidden = values @ self.a_weight.take(columns, 0)
        hidden += self.a_bias
        np.maximum(hidden, 0, out=hidden)
        logits: Float[np.ndarray, " class"] = hidden @ self.b_weight
        logits += self.b_bias
        return logits

    def logits(self, x: Any) -> Float[np.ndarray, "row class"]:
        """Of rows of features, dense or scipy sparse, as the user has them."""
        if x.shape[1] != self.features:
            raise BadInput(
                f"x has {x.shape[1]} features, the model was trained with {self.features}; give the same ones"
            )
        from scipy.sparse import csr_array

        from parataxis.methods.light_hgnn.dataset import check_features, unit_rows

        rows = csr_array(x)  # by rows, sparse: each row is summed on its own, whatever others there are
        check_features(rows)
        rows = (unit_rows(rows) if self.unit else rows).astype(np.float32)
        hidden = np.maximum(rows @ self.a_weight + self.a_bias, 0)
        return hidden @ self.b_weight + self.b_bias

    def probabilities(self, x: Any) -> Float[np.ndarray, "row class"]:
        logits = self.logits(x).astype(float)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def save(self, path: Path | str) -> Path:
        """Plain arrays in one .npz, written whole or not at all."""
        meta = {"format": FORMAT, "unit": self.unit, "classes": [_plain(each) for each in self.classes]}
        meta["columns"] = list(self.columns)
        arrays = {name: getattr(self, name) for name in ("a_weight", "a_bias", "b_weight", "b_bias")}
        buffer = io.BytesIO()
        np.savez(buffer, meta=np.array(json.dumps(meta)), **arrays)
        return write_atomic(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path | str) -> "Student":
        from parataxis.nn.hypergraph import open_npz

        arrays = open_npz(path)
        try:
            meta = json.loads(str(arrays.pop("meta", "{}")))
        except ValueError:
            meta = {}
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise BadInput(f"{path}: is no model of `parataxis lighthgnn train`; give the file that it wrote")
        return cls(**arrays, classes=tuple(meta["classes"]), unit=meta["unit"], columns=tuple(meta["columns"]))

    def to_onnx(self, path: Path | str) -> Path:
        """A graph from `x` (float32, rows by features) to `probabilities` and `label`, the place of the class."""
        try:
            from onnx import TensorProto, helper, numpy_helper
        except ModuleNotFoundError as error:
            raise BadInput(
                f"{path}: needs {error.name}, which is not installed; pip install 'parataxis[graph]'"
            ) from None

        node = helper.make_node
        scaling = [
            node("ReduceL1", ["x"], ["sums"], axes=[1], keepdims=1),
            node("Equal", ["sums", "zero"], ["none"]),
            node("Where", ["none", "one", "sums"], ["divisors"]),
            node("Div", ["x", "divisors"], ["scaled"]),
        ]
        nodes = [
            *(scaling if self.unit else []),
            node("Gemm", ["scaled" if self.unit else "x", "a_weight", "a_bias"], ["reached"]),
            node("Relu", ["reached"], ["hidden"]),
            node("Gemm", ["hidden", "b_weight", "b_bias"], ["logits"]),
            node("Softmax", ["logits"], ["probabilities"], axis=1),
            node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
        ]
        arrays = {name: getattr(self, name) for name in ("a_weight", "a_bias", "b_weight", "b_bias")}
        if self.unit:
            arrays |= {"zero": np.zeros(1, np.float32), "one": np.ones(1, np.float32)}
        graph = helper.make_graph(
            nodes,
            "student",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["row", self.features])],
            [
                helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["row", len(self.classes)]),
                helper.make_tensor_value_info("label", TensorProto.INT64, ["row"]),
            ],
            [numpy_helper.from_array(each, name) for name, each in arrays.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        helper.set_model_props(model, {"classes": json.dumps([_plain(each) for each in self.classes])})
        return write_atomic(path, model.SerializeToString())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
