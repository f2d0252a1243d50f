"""Whether an outcome depends on the order of the inputs: `audit(system, items)` tells, with a witness if it does.

    from parataxis.audit import audit
    print(audit(lambda names: names[0], ["ada", "bo", "cy"]))

`orders` holds the designs, `statistics` the exact tests, `minimise` what finds the fewest items that still show it.
"""

from parataxis.audit.engine import audit
from parataxis.audit.orders import Design
from parataxis.audit.outcomes import Raised
from parataxis.audit.result import Audit, ItemEffect, Share, Verdict, Witness

__all__ = ["Audit", "Design", "ItemEffect", "Raised", "Share", "Verdict", "Witness", "audit"]
