"""A machine without a scheduler as one: jobs wait in a spool, and one process starts their elements as there is room.

It goes there with each question (`schedulers/local`), as one file that any Python 3.6 can run. A job is what was asked
for, written once, and a log of facts. All else can be told from these after a kill of whoever was at work: an element
starts only when it has itself written down that it does, and is known by its process, when that started, and the boot
of the machine. The process that starts elements, the supervisor, leaves when all have ended; each question starts
another one where it is missing.
"""
