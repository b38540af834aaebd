"""What is counted of each release while it is served, and how it is read: times, answers, errors, by file of a worker.

It knows answers and the files of the serving folder. It knows no request, no route and no judge.
"""
