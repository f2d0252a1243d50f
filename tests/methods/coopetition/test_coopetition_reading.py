"""Reading and writing: owners, criticality, both normalisations, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace

import networkx
import numpy as np
import pandas as pd
import pytest
from coopetition_cases import FOLDER, needs_data
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.methods.coopetition import Dependencies, Dependency, Game, Interdependence, read_matrix
from parataxis.methods.coopetition.pistar import from_pistar, to_pistar
from parataxis.methods.coopetition.reading import read
from parataxis.methods.coopetition.study_inputs import made_model
from parataxis.methods.coopetition.writing import write_matrix

BUYERS = [[0, 0.5, 0.5], [0.75, 0, 0.25], [0.5, 0.5, 0]]


@needs_data
def test_buyer_driven_e_commerce():
    found = Dependencies.read(FOLDER / "istar_buyer_driven_ecommerce.json")
    assert found.matrix().matrix.tolist() == BUYERS
    assert np.array_equal(found.matrix("per-partner").matrix, 1 - np.eye(3))
    assert Game(found.matrix()).equilibrium().actions == pytest.approx(3 * [22.377], abs=5e-4)
    assert Game(found.matrix("per-partner")).equilibrium().actions == pytest.approx(3 * [24.532], abs=5e-4)
    nobody = Interdependence(found.names, np.zeros((3, 3)))
    assert Game(nobody).equilibrium().actions == pytest.approx(3 * [20.557], abs=5e-4)


@needs_data
@pytest.mark.parametrize(("name", "actors", "rows"), [("smart_home", 6, 30), ("travel_reimbursement", 6, 3)])
def test_the_other_real_models(name, actors, rows):
    found = Dependencies.read(FOLDER / f"istar_{name}.json")
    assert (len(found.names), len(found.rows)) == (actors, rows)
    assert found.matrix().dependence.max() == pytest.approx(1)
    assert bool(found.notes) == (name == "travel_reimbursement")  # it has is-a and participates-in links


@pytest.mark.parametrize("tool", ["pistar.1.0.1", "pistar.2.0.0", "piStar.2.1.0"])
def test_both_versions_and_elements_inside_actors(tool):
    model = json.loads(to_pistar(made_model()))
    owner = model["actors"][0]
    owner["nodes"] = [{"id": "inside", "text": "its goal", "type": "istar.Goal"}]
    for each in [*model["dependencies"], *model["links"]]:
        each.update({end: "inside" for end in ("source", "target") if each[end] == owner["id"]})
    if tool.startswith("pistar.1"):
        del model["orphans"]
    assert from_pistar({**model, "tool": tool}, "m").matrix().matrix.tolist() == BUYERS


def test_an_orphan_element_that_is_no_dependum_is_passed_over():
    model = json.loads(to_pistar(made_model()))
    model["orphans"] = [{"id": "o", "text": "boundary", "type": "istar.Note"}]
    assert from_pistar(model, "m").matrix().matrix.tolist() == BUYERS


def test_a_cycle_of_links_between_actors_is_noted():
    model = json.loads(to_pistar(made_model()))
    one, other, _ = (each["id"] for each in model["actors"])
    pairs = [(one, other), (other, one)]
    model["links"] += [
        {"id": f"l{at}", "type": "istar.IsALink", "source": a, "target": b} for at, (a, b) in enumerate(pairs)
    ]
    found = from_pistar(model, "m")
    assert found.notes == (
        "2 is-a links: no dependency, passed over",
        "a cycle of is-a links: A -> B -> A; passed over",
    )
    assert found.matrix().matrix.tolist() == BUYERS


def test_numbers_in_properties():
    rows = (Dependency("a", "b", "x", 3.0, 0.5), Dependency("a", "c", "y", 1.0))
    model = json.loads(to_pistar(Dependencies.of(rows)))
    assert model["dependencies"][0]["customProperties"] == {"importance": "3.0", "criticality": "0.5"}
    assert from_pistar(model, "m").matrix().matrix[0].tolist() == [0, 0.375, 0.25]
    model["dependencies"][0]["customProperties"] = {"Importance": " ", "Criticality": ""}
    assert from_pistar(model, "m").matrix().matrix[0].tolist() == [0, 0.5, 0.5]


def test_links_that_disagree_with_the_noted_ends_are_refused():
    model = json.loads(to_pistar(made_model()))
    model["dependencies"][0]["source"] = model["actors"][2]["id"]
    with pytest.raises(BadInput, match="has two dependers"):
        from_pistar(model, "m")


def test_criticality_is_one_over_the_providers_of_the_same_need():
    """By hand: a needs x (2, from b or c) and y (1, from b): D[a, b] = (2/2 + 1) / 3, D[a, c] = (2/2) / 3."""
    found = Dependencies.of([Dependency("a", "b", "x", 2.0), Dependency("a", "c", "x", 2.0), Dependency("a", "b", "y")])
    assert found.matrix().matrix[0] == pytest.approx([0, 2 / 3, 1 / 3])
    assert found.matrix("per-partner").matrix[0] == pytest.approx([0, (1 + 1) / 3, 0.5])


def test_no_row_sums_to_more_than_one():
    assert made_model().matrix().dependence == pytest.approx([1, 1, 1])


def test_splitting_a_dependum_changes_nothing():
    whole = Dependencies.of([Dependency("a", "b", "x", 2.0, 0.7), Dependency("a", "c", "y", 1.0, 1.0)])
    halves = [Dependency("a", "b", "x1", 1.0, 0.7), Dependency("a", "b", "x2", 1.0, 0.7)]
    split = Dependencies.of([*halves, Dependency("a", "c", "y", 1.0, 1.0)])
    assert split.matrix().matrix == pytest.approx(whole.matrix().matrix, abs=1e-15)


@given(st.permutations(list(range(8))))
@settings(max_examples=30)
def test_order_in_the_file_does_not_matter(order):
    rows = [made_model().rows[at] for at in order]
    assert np.array_equal(Dependencies.of(rows).matrix().matrix, made_model().matrix().matrix)


@pytest.mark.parametrize("name", ["model.json", "model.csv", "model.parquet"])
def test_dependencies_are_written_and_read_again(tmp_path, name):
    path = made_model().write(tmp_path / name)
    found = Dependencies.read(path)
    assert found.names == made_model().names
    assert np.array_equal(found.matrix().matrix, made_model().matrix().matrix)


@pytest.mark.parametrize("name", ["matrix.csv", "matrix.parquet"])
def test_a_matrix_is_written_and_read_again(tmp_path, name):
    path = write_matrix(made_model().matrix(), tmp_path / name)
    assert np.array_equal(read_matrix(path).matrix, np.array(BUYERS))
    assert np.array_equal(read(path)[0].matrix, np.array(BUYERS))


def test_graphml_and_dot_have_the_edges(tmp_path):
    found = Interdependence(('say "a"', "b"), np.array([[0, 0.25], [0, 0]]))
    graph = networkx.read_graphml(write_matrix(found, tmp_path / "g.graphml"))
    assert list(graph.edges(data="weight")) == [('say "a"', "b", 0.25)]
    text = write_matrix(found, tmp_path / "g.dot").read_text()
    assert '"say \\"a\\"" -> "b" [label="0.25", penwidth=2.00, weight=0.25];' in text


def test_rows_of_a_matrix_say_what_they_are(tmp_path):
    """Headed depender, rows depend on columns; headed dependee, columns on rows; else it is refused."""
    for head, a_on_b in (("depender", 0.5), ("dependee", 0.2)):
        (tmp_path / "m.csv").write_text(f"{head},a,b\na,0,.5\nb,.2,0\n")
        assert read_matrix(tmp_path / "m.csv").matrix[0, 1] == a_on_b
    (tmp_path / "m.csv").write_text("actor,a,b\na,0,.5\nb,.2,0\n")
    with pytest.raises(BadInput, match="the direction is not guessed"):
        read_matrix(tmp_path / "m.csv")


def test_blanks_around_heads_do_not_make_a_matrix_a_table(tmp_path):
    (tmp_path / "m.csv").write_text(" depender, a,b \na,0,.5\nb,.2,0\n")
    assert read(tmp_path / "m.csv")[0].matrix.tolist() == [[0, 0.5], [0.2, 0]]


@pytest.mark.parametrize(("head", "missing"), [("depender,to", "dependee"), ("dependee,from", "depender")])
def test_a_table_with_one_head_of_another_word_is_no_matrix(tmp_path, head, missing):
    (tmp_path / "m.csv").write_text(f"{head},dependum\na,b,x\n")
    with pytest.raises(BadInput, match=f"no column '{missing}'; .* could be either end and is not guessed"):
        read(tmp_path / "m.csv")


def test_a_matrix_read_as_dependencies_names_its_reader(tmp_path):
    write_matrix(made_model().matrix(), tmp_path / "m.csv")
    with pytest.raises(BadInput, match="is a matrix, not a table of dependencies; read it with read_matrix"):
        Dependencies.read(tmp_path / "m.csv")


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_an_empty_cell_of_parquet_is_no_name(tmp_path, nothing):
    path = tmp_path / "m.parquet"
    columns = {"depender": ["a", "b"], "dependee": ["b", "a"], "dependum": ["x", "y"], "type": ["Goal", nothing]}
    pd.DataFrame(columns).to_parquet(path)
    assert [row.kind for row in Dependencies.read(path).rows] == ["Goal", ""]
    pd.DataFrame({**columns, "depender": ["a", nothing]}).to_parquet(path)
    with pytest.raises(BadInput, match=r"m\.parquet:3: dependum 'y': depender='': expected a name"):
        Dependencies.read(path)


UNTYPED = """
import numpy as np
from parataxis.methods.coopetition import Dependency, Game
for made in (
    lambda: Dependency("a", "b", "x", "2"),
    lambda: Dependency("a", "b", "x", None),
    lambda: Dependency("a", "b", "x", 1, "1"),
    lambda: Dependency("a", 3, "x"),
    lambda: Game(np.zeros((2, 2)), value="log"),
):
    try:
        made()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_parts_of_the_wrong_type_are_named_where_no_types_are_checked():
    """In a process of its own: the tests' own check of types would come first."""
    told = subprocess.run([sys.executable, "-c", UNTYPED], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        "BadInput dependum 'x': importance='2': expected a number",
        "BadInput dependum 'x': importance=None: expected a number",
        "BadInput dependum 'x': criticality='1': expected a number",
        "BadInput dependum 'x': dependee=3: expected a name",
        "BadInput value='log': expected Log(...), Power(...) or Custom(...)",
    ]


def test_an_array_is_given_names():
    assert Game(np.array(BUYERS)).names == ("actor 1", "actor 2", "actor 3")
    assert np.array_equal(Game(BUYERS).equilibrium().actions, Game(made_model().matrix()).equilibrium().actions)
    for wrong in ("model.json", [1.0, 2.0], 3.0):
        with pytest.raises(BadInput, match="expected an Interdependence, or an array of numbers"):
            Game(wrong)


def test_columns_of_a_matrix_are_found_by_name(tmp_path):
    (tmp_path / "m.csv").write_text("depender,b,a\na,.5,0\nb,0,.2\n")
    assert read_matrix(tmp_path / "m.csv").matrix.tolist() == [[0, 0.5], [0.2, 0]]


@pytest.mark.parametrize(
    ("names", "matrix", "fragment"),
    [
        (("a",), [[0.0]], "expected two or more"),
        (("a", "a"), [[0.0, 0], [0, 0]], "stands twice"),
        (("a", ""), [[0.0, 0], [0, 0]], "expected a name"),
        (("a", "b"), [[0.0]], r"shape=\(1, 1\): expected \(2, 2\)"),
        (("a", "b"), [[0.0, np.nan], [0, 0]], "expected a number from 0 to 1"),
        (("a", "b"), [[0.0, -0.1], [0, 0]], "expected a number from 0 to 1"),
        (("a", "b"), [[0.2, 0], [0, 0]], "nobody depends on itself"),
    ],
)
def test_matrices_that_are_refused(names, matrix, fragment):
    with pytest.raises(BadInput, match=fragment):
        Interdependence(names, np.array(matrix))


def test_normalisation_importance_and_names_that_are_refused():
    with pytest.raises(BadInput, match="normalise='rows'"):
        made_model().matrix("rows")
    with pytest.raises(BadInput, match="'z' is no actor of the model"):
        Dependencies(("a", "b"), (Dependency("a", "z", "x"),))
    with pytest.raises(BadInput, match="actor 'z' is not there"):
        made_model().matrix().among(["A", "z"])


def test_importance_counts():
    first, *others = made_model().rows
    found = Dependencies.of([replace(first, importance=5.0), *others]).matrix()
    assert found.matrix[1].tolist() == [7 / 8, 0, 1 / 8]


def test_strengths_and_asymmetry():
    found = Interdependence(("a", "b"), np.array([[0, 0.6], [0.2, 0]]))
    assert found.dependence.tolist() == [0.6, 0.2]
    assert found.weight.tolist() == [0.2, 0.6]
    assert found.asymmetry == pytest.approx(np.array([[0, 0.4], [-0.4, 0]]))
    assert found.frame().loc["a", "b"] == 0.6
    assert found.plot().startswith("<svg")
