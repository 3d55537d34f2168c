"""Run the tests that take long and guard the machinery: python tasks.py test-more [OPTIONS OF PYTEST ...]"""

import sys

from tools.test import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], more=True))
