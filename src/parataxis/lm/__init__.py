"""What methods that question a language model share: loading one, the likelihood of continuations, an endpoint.

transformers does the work; nothing here is a model of its own.
"""
