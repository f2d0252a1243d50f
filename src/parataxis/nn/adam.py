"""Adam, for programs that must start quickly.

The first optimizer of torch.optim imports torch's compiler: two seconds more, and an environment variable that stays
set. Here the methods that ask for it are taken as they were before they were wrapped, so nothing is imported.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def _plain(name: str) -> Any:
    return getattr(Optimizer, name).__wrapped__


class Adam(Optimizer):
    """Kingma and Ba, "Adam", ICLR 2015, Algorithm 1. weight_decay is added to the gradient, as an L2 term.

    To the bit what `torch.optim.Adam(foreach=False)` does.
    """

    add_param_group = _plain("add_param_group")
    state_dict = _plain("state_dict")
    load_state_dict = _plain("load_state_dict")
    zero_grad = _plain("zero_grad")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        assert closure is None, "a closure is not called"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        first, second = group["betas"]
        gradient = parameter.grad
        assert gradient is not None
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        mean, square = state["mean"], state["square"]
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        size = (square.sqrt() / (1 - second ** state["step"]) ** 0.5).add_(group["eps"])
        parameter.addcdiv_(mean, size, value=-group["lr"] / (1 - first ** state["step"]))


class AdamW(Adam):
    """Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019: a weight loses lr times decay.

    All weights of a group in one call. To the bit what `torch.optim.AdamW(fused=True)` does.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        assert closure is None, "a closure is not called"
        for group in self.param_groups:
            moved = [each for each in group["params"] if each.grad is not None]
            for parameter in moved:
                if not (state := self.state[parameter]):
                    state.update(step=torch.zeros((), device=parameter.device), mean=torch.zeros_like(parameter))
                    state["square"] = torch.zeros_like(parameter)
            means, squares, steps = ([self.state[each][name] for each in moved] for name in ("mean", "square", "step"))
            torch._foreach_add_(steps, 1)
            first, second = group["betas"]
            torch._fused_adamw_(
                moved,
                [each.grad for each in moved],
                means,
                squares,
                [],
                steps,
                lr=group["lr"],
                beta1=first,
                beta2=second,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )
