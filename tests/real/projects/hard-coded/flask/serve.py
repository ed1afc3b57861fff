import sys
from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return Path(app.root_path, "identity.txt").read_text()


if __name__ == "__main__":
    # The other reloader watches all of Python's library.
    app.run(host=sys.argv[1] if len(sys.argv) > 1 else "0.0.0.0", port=8000, debug=True, reloader_type="stat")
