from functools import reduce


def patch(target, change):  # JSON Merge Patch, RFC 7396
    if not isinstance(change, dict):
        return change
    old = target if isinstance(target, dict) else {}
    new = {**old, **{key: patch(old.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in new.items() if value is not None}


def merge(patches):
    return reduce(patch, patches, {})
