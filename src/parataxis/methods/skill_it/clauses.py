"""The small model of the study: a transformer over a set of tokens, asked at the last of them."""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

SPREAD = 0.3  # of the initial embeddings: with the usual 0.02 the plateau lasts longer than the study


class Block(nn.Module):
    """Pre-norm attention and MLP. With `last`, what is computed is for the last token alone."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "row token d"], last: bool = False) -> Float[Tensor, "row seen d"]:
        rows, _, width = x.shape
        normed = self.before_attention(x)
        if last:
            x = x[:, -1:]
        query = self.query(normed[:, -1:] if last else normed)
        key, value = self.key_value(normed).split(width, -1)
        parts = [
            each.reshape(rows, -1, self.heads, width // self.heads).transpose(1, 2) for each in (query, key, value)
        ]
        seen = scaled_dot_product_attention(*parts).transpose(1, 2).reshape(rows, -1, width)
        x = x + self.out(seen)
        return x + self.narrow(gelu(self.wide(self.before_mlp(x))))


class SetModel(nn.Module):
    """Each token is the sum of the embeddings of its symbols; attention is bidirectional and knows no places; the
    answer is read at the last token, which is the question."""

    def __init__(self, symbols: int, answers: int, width: int = 64, heads: int = 4, depth: int = 5) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, width)
        nn.init.normal_(self.embed.weight, std=SPREAD)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, answers)

    def forward(self, symbols: Int[Tensor, "row token part"]) -> Float[Tensor, "row answer"]:
        x = self.embed(symbols.long()).sum(2)
        for block in self.blocks[:-1]:
            x = block(x)
        return self.head(self.norm(self.blocks[-1](x, last=True)[:, 0]))


def weights(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def no_decay(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Parameter groups for AdamW: biases and norms do not decay."""
    plain = [each for each in model.parameters() if each.dim() > 1]
    other = [each for each in model.parameters() if each.dim() <= 1]
    return [{"params": plain, "weight_decay": decay}, {"params": other, "weight_decay": 0.0}]


def answer_losses(
    model: nn.Module, x: Tensor, y: Int[Tensor, " row"]
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Of each example: the loss, and whether the likeliest answer is right."""
    logits = model(x)
    return nn.functional.cross_entropy(logits, y, reduction="none"), (logits.argmax(1) == y).to(logits.dtype)
