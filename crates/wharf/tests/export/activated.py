"""Starts what each socket unit of a folder belongs to, by its unit's own words and variables, with the socket that
the unit names, as systemd does: activated.py FOLDER. Writes what each answers, and what it says where it does not."""

import json
import pathlib
import re
import subprocess
import sys
import urllib.request

# How long each may take to answer, in seconds.
LIMIT = 60


def values(text, key):
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith(key + "=")]


def words(value):
    """The words of a line, as `man systemd.syntax` has it."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)
    escape = lambda match: chr(int(match[2], 16)) if match[2] else match[1]
    plain = [re.sub(r"\\(x(..)|.)", escape, quoted or bare) for quoted, bare in found]
    return [word.replace("%%", "%") for word in plain]


def answer(folder, socket):
    text = socket.read_text()
    [address], [name] = values(text, "ListenStream"), values(text, "FileDescriptorName")
    service = (folder / (socket.stem + ".service")).read_text()
    [command], [directory] = values(service, "ExecStart"), values(service, "WorkingDirectory")
    argv = [word.replace("$$", "$") for word in words(command)]
    for name in " ".join(values(service, "UnsetEnvironment")).split():
        argv = ["env", f"--unset={name}", *argv]
    env = [f"--setenv={pair}" for value in values(service, "Environment") for pair in words(value)]
    child = subprocess.Popen(
        ["systemd-socket-activate", f"--listen={address}", f"--fdname={name}", *env, *argv],
        cwd=directory.replace("%%", "%"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        # Its own line; what comes later is the server's.
        said = child.stderr.readline()
        assert b"Listening on " in said, said
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(f"http://{address}/", timeout=LIMIT).read().decode()
    except OSError as error:
        child.kill()
        return f"{error}: {child.stderr.read().decode()}"
    finally:
        child.terminate()
        child.wait()


units = pathlib.Path(sys.argv[1])
print(json.dumps({socket.stem: answer(units, socket) for socket in sorted(units.glob("*.socket"))}))
