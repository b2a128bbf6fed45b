"""`python -m service` is the command `runquote`.

A worker process runs the main module of its parent once more, unless that has the name of this one.
"""

from service.cli import main

if __name__ == "__main__":
    main()
