"""Vertices, labels and hyperedges as the user's tables have them."""

import numpy as np
import pandas as pd
import pytest

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.dataset import read_dataset

VERTICES = "vertex,label,a,b\nNA,y,1,2\nv1,-1,3,4\nv2,NA,5,6\nv3,,7,8\nv4,None,9,0\nv5,-1.0,1,1\n"
GROUPS = "vertex,edge,weight\nNA,null,2\nv1,null,2\nv4,e,0.5\n"


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "vertices.csv").write_text(VERTICES)
    (tmp_path / "groups.csv").write_text(GROUPS)
    return tmp_path / "vertices.csv", tmp_path / "groups.csv"


def test_no_label_is_an_empty_cell_or_minus_one_and_names_are_names(tables):
    found = read_dataset(*tables)
    assert found.classes == ("NA", "None", "y")
    assert found.labels.tolist() == [2, -1, 0, -1, 1, -1]
    assert found.ids[0] == "NA"
    assert found.hypergraph.edge_names == ("null", "e")
    assert found.x.toarray().tolist()[1] == [3, 4]


def test_weights_are_read(tables):
    assert read_dataset(*tables).hypergraph.weights.tolist() == [2.0, 0.5]
    tables[1].write_text(GROUPS.replace("v1,null,2", "v1,null,-1"))
    with pytest.raises(BadInput, match=r"groups\.csv: row 2: hyperedge 'null' has another weight above"):
        read_dataset(*tables)
    tables[1].write_text(GROUPS.replace(",2", ",-1"))
    with pytest.raises(BadInput, match=r"groups\.csv: hyperedge 'null': weight=-1\.0 must be a number above 0"):
        read_dataset(*tables)


def test_an_empty_feature_is_no_name_and_refused(tables):
    tables[0].write_text(VERTICES.replace("3,4", "3,"))
    with pytest.raises(BadInput, match=r"vertices\.csv:3: b=nan must be finite"):
        read_dataset(*tables)


def test_parquet_says_the_same(tables, tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"vertex": ["NA", "v1", "v2"], "label": ["x", None, "-1"], "a": [1.0, 2.0, 3.0]})
    frame.loc[3] = ["v4", "y", 4.0]
    frame.to_parquet(tmp_path / "v.parquet")
    found = read_dataset(tmp_path / "v.parquet", tables[1])
    assert (found.classes, found.labels.tolist()) == (("x", "y"), [0, -1, -1, 1])
    assert np.array_equal(found.x.toarray().ravel(), [1, 2, 3, 4])
