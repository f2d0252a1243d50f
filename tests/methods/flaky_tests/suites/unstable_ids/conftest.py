# Two tests of one name: the lines of twice.check.
import pytest


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".check":
        return Checks.from_parent(parent, path=file_path)


class Checks(pytest.File):
    def collect(self):
        for line in self.path.read_text().split():
            item = Check.from_parent(self, name="check")
            item.line = line
            yield item


class Check(pytest.Item):
    def runtest(self):
        assert self.line in ("first", "second")
        if self.line == "second":
            pytest.skip("to tell it from the first")
