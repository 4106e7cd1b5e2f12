from beartype import BeartypeConf, beartype

WITH_TOWER = beartype(conf=BeartypeConf(is_pep484_tower=True))  # a whole number is a float, as Python has it


def checked(function):
    """Checks the annotations of calls, and not the fields of structs: tree functions put shapes and axes in those."""
    return function if function.__name__ == "__init__" else WITH_TOWER(function)
