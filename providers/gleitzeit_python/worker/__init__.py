"""What runs inside: a fork server and its workers, exec'ed on their own.

Nothing here imports Gleitzeit, nor anything outside the standard library, for all of it shares its memory with code
that nobody trusts. `start.py` is the program; `zygote.py` says what is spoken with it.
"""
