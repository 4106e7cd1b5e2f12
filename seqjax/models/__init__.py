"""One paper a file; every sequence model offers init_state, step, encode and read."""
