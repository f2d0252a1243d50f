"""A model made on the spot, a question in two orders: text changes its scores, a set does not change one bit."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter

words = ("<pad>", "Which", "is", "a", "fruit", "?", "chair", "an", "apple", "Answer", ":")
kept = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "<pad>"))
kept.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=kept, pad_token="<pad>")
torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
model = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **sizes)).eval()

ask = SetPrompter(model, tokenizer)
options = ["a chair ", "an apple "]
for layout in ("as text", "as a set"):
    found = []
    for given in (options, options[::-1]):
        middle = Set(given) if layout == "as a set" else "".join(given)
        found.append(ask.score(SetPrompt("Which is a fruit ? ", middle, "Answer :"), options))
    print(f"{layout}: {'the same' if torch.equal(*found) else 'other'} scores in the other order")
