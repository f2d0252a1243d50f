"""LightHGNN as a scikit-learn classifier: fitted with a hypergraph, asked without one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.names import arranged, by_name
from parataxis.methods.light_hgnn.split import check_share, shuffled
from parataxis.methods.light_hgnn.student import Student
from parataxis.nn.hypergraph import Hypergraph


class LightHGNNClassifier(ClassifierMixin, BaseEstimator):
    """An MLP taught by a hypergraph network.

    teacher: hgnn, hgnn+, hnhn or unigcn. plus: LightHGNN+, with reliable hyperedges. unit: rows of the features are
    scaled to sum 1 (their absolute values; a row of zeros stays), as counts of words should be. validation: which
    share of the labelled vertices of each class chooses the epochs. choose: the student's by "accuracy" there, or by
    "divergence" from the teacher, which asks for no label. merge: duplicate hyperedges count once. The others are as in
    `teaching.Recipe`. device: of torch, for the training; the student answers in NumPy. checkpoints: a folder, from
    which a fit that was cut off goes on. tell: is told of progress, as in `nn.fit`.

    Fitted: `student_`, which predicts; `teacher_`, a `teaching.Taught`; `classes_`; `reliability_`, with plus;
    `duplicates_`, how many hyperedges have the members of an earlier one; `isolated_`, vertices in no hyperedge, each
    of which gets one of its own; `validation_`, the rows that chose the epoch, `best_epoch_`, which it was, and
    `history_`, of the student.
    """

    def __init__(
        self,
        teacher: str = "hgnn",
        plus: bool = True,
        hidden: int = 128,
        teacher_hidden: int = 32,
        kl: str = "standard",
        dropout: float = 0.5,
        epochs: int = 200,
        lr: float = 0.01,
        weight_decay: float = 5e-4,
        label_share: float = 0.0,
        temperature: float = 1.0,
        noise: str = "multiplicative",
        level: float = 1.0,
        unit: bool = True,
        validation: float = 0.2,
        choose: str = "accuracy",
        merge: bool = False,
        random_state: int | None = 0,
        device: str = "cpu",
        checkpoints: Path | None = None,
        tell: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.teacher = teacher
        self.plus = plus
        self.hidden = hidden
        self.teacher_hidden = teacher_hidden
        self.kl = kl
        self.dropout = dropout
        self.epochs = epochs
        self.lr = lr
        self.weight_decay = weight_decay
        self.label_share = label_share
        self.temperature = temperature
        self.noise = noise
        self.level = level
        self.unit = unit
        self.validation = validation
        self.choose = choose
        self.merge = merge
        self.random_state = random_state
        self.device = device
        self.checkpoints = checkpoints
        self.tell = tell

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, hypergraph: Hypergraph | None = None, ids: Any = None) -> "LightHGNNClassifier":
        """y: a label a row, -1 for none. hypergraph: of the rows of X; without one every vertex stands alone.

        ids: of the rows. All that is drawn, and which rows choose the epoch, then goes by them: in whatever order the
        rows stand, the same bits are learned. Without ids a row's place is its name. The order of hyperedges never
        matters.
        """
        from scipy.sparse import csr_array

        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=(np.float64, np.float32), ensure_min_samples=2)
        labels = self._labels(y)
        hypergraph = self._checked(hypergraph, X.shape[0])
        known = range(X.shape[0]) if ids is None else list(ids)
        _check_ids(known, X.shape[0], hypergraph.vertex_names if ids is not None else None)
        order = by_name(known)
        train, chooses = self._parts(labels[order], [known[each] for each in order])
        self.validation_ = np.sort(order[chooses])
        structure, edges = arranged(hypergraph, order)
        taught = self._taught(csr_array(X)[order], labels[order], structure, train, chooses)
        self._put_back(order, edges)
        columns = tuple(getattr(self, "feature_names_in_", ()))
        self.student_ = replace(Student.of(taught.model, self.classes_.tolist(), self.unit), columns=columns)
        self.history_ = taught.fitted.history
        self.n_iter_, self.best_epoch_ = len(self.history_), taught.fitted.best
        return self

    def _taught(self, found: Any, labels: Any, hypergraph: Hypergraph, train: Any, chooses: Any) -> Any:
        """The teacher, which is kept, then the student."""
        from parataxis.methods.light_hgnn.dataset import unit_rows
        from parataxis.methods.light_hgnn.model import teacher_class
        from parataxis.methods.light_hgnn.teaching import (
            Guide,
            Recipe,
            check_choice,
            data_hash,
            distill,
            find_reliable,
            teach,
        )
        from parataxis.nn.device import device_of
        from parataxis.nn.fit import Checkpoint, named
        from parataxis.nn.sparse import Sparse

        check_choice(self.choose)
        device = device_of(self.device)
        names = {name: value for name, value in self.get_params().items() if name in vars(Recipe())}
        recipe = replace(Recipe(), **names)
        scaled = unit_rows(found) if self.unit else found
        arrays = (scaled.data, scaled.indices, scaled.indptr, labels, train, chooses)
        structure = (hypergraph.members, hypergraph.offsets, hypergraph.weights)
        known = data_hash(*arrays, *structure, repr((recipe, self.teacher, self.plus, self.choose)).encode())

        def rest(name: str) -> dict[str, Any]:
            kept = None if self.checkpoints is None else Checkpoint(self.checkpoints / f"{name}.pt", known)
            return {"rng": named(self.random_state or 0, name), "recipe": recipe, "checkpoint": kept, "tell": self.tell}

        x = Sparse(scaled, device=device)
        guide = Guide.of(labels, train, chooses, device)
        through = teacher_class(self.teacher).propagation(hypergraph, device=device)
        self.teacher_: Any = teach(self.teacher, x, through, guide, len(self.classes_), **rest("teacher"))
        reliable = None
        if self.plus:
            draws = named(self.random_state or 0, "reliable")
            reliable = find_reliable(self.teacher_, x, hypergraph, through, draws, recipe)
            self.reliability_: Any = reliable.rho.cpu().numpy()
            if not np.isfinite(self.reliability_).all():
                raise BadInput(f"level={self.level}: under this noise the teacher's answers are no numbers; lower it")
        options = {"guide": guide, "reliable": reliable, "choose": self.choose, **rest("student")}
        return distill(self.teacher_.logits, x, **options)

    def _put_back(self, order: Any, edges: Any) -> None:
        """What was found of vertices and hyperedges, in the order in which they were given."""
        logits = self.teacher_.logits
        self.teacher_ = replace(self.teacher_, logits=logits[order.argsort().tolist()])
        if self.plus:
            self.reliability_ = self.reliability_[edges.argsort()]

    def _labels(self, y: Any) -> Any:
        check_classification_targets(y)
        if not (self.random_state is None or isinstance(self.random_state, int | np.integer)):
            raise BadInput(f"random_state={self.random_state!r}: expected a whole number, or None for 0")
        known = y != -1 if y.dtype.kind in "iuf" else np.ones(len(y), bool)
        self.classes_, numbers = np.unique(y[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise BadInput(f"y has {len(self.classes_)} class; expected two or more (-1 is no label)")
        labels = np.full(len(y), -1)
        labels[known] = numbers
        return labels

    def _checked(self, hypergraph: Hypergraph | None, n: int) -> Hypergraph:
        found = Hypergraph.from_edges([], n) if hypergraph is None else hypergraph
        if found.n != n:
            raise BadInput(f"hypergraph has {found.n} vertices, X {n} rows; give each vertex a row")
        self.duplicates_, self.isolated_ = found.duplicates, int(found.isolated.sum())
        return (found.merged() if self.merge else found).with_singletons()

    def _parts(self, labels: Any, ids: Any) -> tuple[Any, Any]:
        """Of each class the first of the hashed ids choose the epoch, the others teach; one at least teaches."""
        check_share(self.validation)
        order = shuffled(ids, str(self.random_state or 0))
        train, validation = [], []
        for each in range(len(self.classes_)):
            own = order[labels[order] == each]
            chooses = min(int(self.validation * len(own)), len(own) - 1)
            validation += own[:chooses].tolist()
            train += own[chooses:].tolist()
        return np.sort(train), np.sort(validation).astype(np.int64)

    def predict_proba(self, X: Any) -> Any:
        check_is_fitted(self, "student_")
        return self.student_.probabilities(
            validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        )

    def predict(self, X: Any) -> Any:
        places = self.predict_proba(X).argmax(1)
        return self.classes_[places]

    def save(self, path: Path | str) -> Path:
        """What predicts, as plain arrays; the teacher is left behind."""
        check_is_fitted(self, "student_")
        return self.student_.save(path)

    @classmethod
    def load(cls, path: Path | str) -> "LightHGNNClassifier":
        """A fitted classifier that predicts as the saved one did; how that was trained is not in the file."""
        student = Student.load(path)
        made = cls(hidden=len(student.a_bias), unit=student.unit)
        made.student_, made.classes_ = student, np.array(student.classes)
        made.n_features_in_ = student.features
        if student.columns:
            made.feature_names_in_ = np.array(student.columns, object)
        return made

    def to_onnx(self, path: Path | str) -> Path:
        check_is_fitted(self, "student_")
        return self.student_.to_onnx(path)


def _check_ids(ids: Any, rows: int, names: Any) -> None:
    """names: of the hypergraph's vertices, if it has any: the same in another order would be those of other rows."""
    if len(ids) != rows:
        raise BadInput(f"ids: {len(ids)} for {rows} rows of X; give one each")
    if names is not None and set(names) == set(ids) and list(names) != list(ids):
        row = next(place for place, (one, other) in enumerate(zip(ids, names, strict=True)) if one != other)
        raise BadInput(
            f"ids[{row}]={ids[row]!r}: vertex {row} of the hypergraph is {names[row]!r}; give the hypergraph its "
            "vertices in the order of the rows"
        )
