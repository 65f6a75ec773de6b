"""`python -m inferometer`: the command line."""

from inferometer.cli.app import main

main()
