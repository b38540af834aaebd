"""How answers and progress look in a terminal. It knows the records that are shown, and no command and no operation."""
