"""How results are shown: tables for the terminal, figures, and self-contained pages."""
