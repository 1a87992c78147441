"""The report of an evaluation: what it says (sections of blocks), and one page that shows it."""
