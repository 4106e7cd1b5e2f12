from beartype import beartype


def checked(function):
    """Checks the annotations of calls, and not the fields of structs: tree functions put shapes and axes in those."""
    return function if function.__name__ == "__init__" else beartype(function)
