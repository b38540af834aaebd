def offset():
    return 3
