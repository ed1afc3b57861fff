import sys

import uvicorn

if __name__ == "__main__":
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    uvicorn.run("shop:app", host=host, port=8000, lifespan="off", workers=2)
