"""Where torch computes."""

import torch

from parataxis.errors import BadInput


def device_of(name: str) -> torch.device:
    """The device that is called so, as cpu or cuda:1. BadInput if this torch, or this machine, has none."""
    try:
        found = torch.device(name)
        torch.empty(0, device=found).cpu()  # which `meta` refuses: it keeps no numbers
    except (RuntimeError, AssertionError) as error:  # no such name; a torch without support for it
        raise BadInput(f"device={name!r}: can't be used: {str(error).splitlines()[0]}; cpu always can") from None
    return found
