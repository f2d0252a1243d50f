"""A hunt's report as JUnit XML, for what reads test results."""

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from parataxis.methods.flaky_tests.classes import Kind

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.report import Report


def junit(report: "Report") -> str:
    """A testcase a test: a flaky one is a failure with its class as type."""
    cases = []
    for each in report.findings:
        bare, bracket, parameters = each.nodeid.partition("[")
        file, _, rest = bare.partition("::")
        classes, _, name = rest.rpartition("::")
        name += bracket + parameters
        classname = ".".join([file.removesuffix(".py").replace("/", "."), *filter(None, classes.split("::"))])
        case = ElementTree.Element("testcase", classname=classname, name=name, file=file)
        if each.kind is not Kind.NOT_FLAKY:
            failure = ElementTree.SubElement(case, "failure", type=each.kind.value, message=_legal(each.sure))
            failure.text = _legal("\n".join(filter(None, [each.cause, each.message])))
        elif not each.rate_below:
            why = each.sure or "it never passed or failed"
            ElementTree.SubElement(case, "skipped", message=_legal(f"not flaky: {why}"))
        cases.append(case)
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ElementTree.Element(
        "testsuite",
        name="parataxis tests hunt",
        tests=str(len(cases)),
        failures=str(len(report.flaky)),
        errors="0",
        skipped=str(skipped),
        time=f"{report.seconds:.3f}",
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    """Without the control characters that XML has no place for."""
    return "".join(c if c in "\t\n" or " " <= c < "\ud800" or c > "\udfff" else "?" for c in text)
