"""How answers and progress look in a terminal. It knows what is printed, and no command and no operation."""
