"""A small picture of a claim: the rule a band, the interval a line, the value a dot, the null a cross."""

import math
from html import escape

from parataxis.claims import Claim
from parataxis.studies.render import Finding, interval, number

WIDTH, HEIGHT = 150, 14  # pixels


def strip(found: Finding) -> str:
    """As SVG; nothing where there is no rule, or nothing was measured."""
    rule = found.stated.rule if isinstance(found.stated, Claim) else None
    measured = found.measured
    if rule is None or measured is None:
        return ""
    known = (rule.low, rule.high, measured.low, measured.high, measured.null)
    ends = [each for each in known if each is not None and math.isfinite(each)]
    left, right = min(ends), max(ends)
    margin = (right - left or abs(left) or 1.0) * 0.08
    left, right = left - margin, right + margin

    def x(value: float) -> float:
        return round((min(max(value, left), right) - left) / (right - left) * WIDTH, 1)

    middle, band = HEIGHT / 2, max(x(rule.high) - x(rule.low), 1.5)
    said, cross = f"{interval(measured)}, rule {found.asks}", ""
    if measured.null is not None:
        at = x(measured.null)
        cross = f'<path d="M{at - 3} {middle - 3}l6 6m0 -6l-6 6" stroke="var(--soft)" fill="none"/>'
        said += f", null {number(measured.null)}"
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(said)}">'
        f'<rect x="{x(rule.low)}" width="{band}" height="{HEIGHT}" fill="var(--band)"/>'
        f'<path d="M{x(measured.low)} {middle}H{x(measured.high)}" stroke="currentColor" stroke-width="2"/>'
        f'<circle cx="{x(measured.value)}" cy="{middle}" r="3" fill="currentColor"/>{cross}</svg>'
    )
