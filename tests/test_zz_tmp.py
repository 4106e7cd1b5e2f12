import warnings
def test_w(): warnings.warn("x")
