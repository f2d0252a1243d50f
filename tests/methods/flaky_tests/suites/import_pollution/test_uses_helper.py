import helper


def test_helper():
    assert helper.os.environ["COLOUR"] == "never"
