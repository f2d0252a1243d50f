# What pytest-order does.
def pytest_collection_modifyitems(items):
    def place(item):
        marker = item.get_closest_marker("order")
        return marker.args[0] if marker else 0

    items.sort(key=place)
