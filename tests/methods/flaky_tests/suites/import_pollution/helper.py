import os

os.environ["COLOUR"] = "never"
