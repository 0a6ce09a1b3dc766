"""The Dockerfile: its rules, and its commands in a fresh environment instead of a container."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

from tests.fresh_environment import ROOT, FreshEnvironment, requirements, skip_without_setuptools
from tests.tiny_workdir import tiny_run

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions():
    """Returns pairs of instruction and arguments, with joined lines and without comments."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages():
    """Returns the instructions of each stage, without its FROM."""
    found = []
    for name, arguments in instructions():
        if name == "FROM":
            found.append([])
        elif found:
            found[-1].append((name, arguments))
    return found


def last(name):
    """Returns the arguments of an instruction of the last stage."""
    (arguments,) = (arguments for found, arguments in stages()[-1] if found == name)
    return arguments


def test_the_image_is_built_in_stages_and_the_last_one_installs_nothing():
    build, final = stages()
    assert "RUN" in {name for name, _ in build}
    assert {"RUN", "ADD"}.isdisjoint(name for name, _ in final)
    assert [arguments for name, arguments in final if name == "COPY"] == [
        "--from=build /opt/venv /opt/venv"
    ]


def test_the_service_runs_without_rights_and_is_checked():
    user, _ = last("USER").split(":")
    assert int(user) >= 1000
    command = json.loads(last("HEALTHCHECK").split(" CMD ")[1])
    assert "/health" in command[-1]
    assert last("STOPSIGNAL") == "SIGTERM"
    entry = json.loads(last("ENTRYPOINT"))  # A list, so that the service itself gets the signal.
    assert entry[:2] == ["seq2seq-jax", "serve"]
    assert json.loads(last("CMD")) == ["--workdir=/model"]


def test_base_images_have_versions_and_there_are_no_secrets():
    images = re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE)
    assert images and not [image for image in images if ":" not in image or "latest" in image]
    assert not re.search(r"(?i)secret|password|api_key|token=", TEXT)


def test_what_is_copied_exists_and_is_admitted_by_dockerignore():
    admitted = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        name
        for found, arguments in stages()[0]
        if found == "COPY"
        for name in arguments.split()[:-1]
    ]
    assert sorted(copied) == sorted(admitted)
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.skipif(not shutil.which("hadolint"), reason="needs hadolint (extra dev)")
def test_hadolint_finds_nothing():
    command = ["hadolint", "--failure-threshold=warning", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_its_commands_install_a_service_that_answers_on_a_read_only_file_system(tmp_path):
    skip_without_setuptools()
    scratch, model = tmp_path / "scratch", tmp_path / "model"
    paths = {"/source": tmp_path / "source", "/opt/venv": tmp_path / "venv", "/model": model}

    def local(text):
        for path, replacement in paths.items():
            text = text.replace(path, str(replacement))
        return text

    # Nothing is downloaded: pip installs the package alone, next to links to its dependencies.
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    environment = {**os.environ, **offline, "EXTRAS": "serve"}
    environment.pop("PYTHONPATH", None)
    paths["/source"].mkdir()
    scratch.mkdir()
    for name, arguments in stages()[0]:
        if name == "COPY":
            *sources, target = arguments.split()
            for source in sources:
                copy = paths["/source"] / target / (source if target == "./" else "")
                if (ROOT / source).is_dir():
                    shutil.copytree(
                        ROOT / source, copy, ignore=shutil.ignore_patterns("__pycache__")
                    )
                else:
                    shutil.copy(ROOT / source, copy)
        elif name == "RUN":
            run = ["bash", "-euc", local(arguments)]
            subprocess.run(run, cwd=paths["/source"], env=environment, check=True)
            if "venv" in arguments and "pip" not in arguments:
                _link_dependencies(paths["/opt/venv"])
    tiny_run(model, {10: 0})

    variables = dict(re.findall(r"(\w+)=(\S+)", last("ENV")))
    variables["PATH"] = f"{paths['/opt/venv']}/bin:{os.environ['PATH']}"
    variables["SEQ2SEQ_JAX_CACHE"] = str(scratch / "seq2seq_jax")
    command = [*json.loads(last("ENTRYPOINT")), *json.loads(local(last("CMD"))), "--port=0"]
    environment = {"TMPDIR": str(scratch), **variables}
    with _contained(command, environment, tmp_path, scratch) as process:
        url, log = None, []
        for line in process.stderr:
            log.append(line)
            found = re.search(r"Serving .* at (http://[\d.]+:\d+)", line)
            url = found[1] if found else url
            if '"Ready' in line:
                break
        assert url is not None, log
        check = json.loads(last("HEALTHCHECK").split(" CMD ")[1])
        check[-1] = check[-1].replace("http://127.0.0.1:8000", url)
        assert subprocess.run(check, env=environment).returncode == 0
        body = json.dumps({"texts": ["a b c"]}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/v1/predict", body, headers)
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["answers"][0]["source"] == "a b c"
        process.terminate()
        assert process.wait(60) == 0
        assert "all accepted requests are answered" in process.stderr.read()
    time.sleep(0.1)
    assert subprocess.run(check, env=environment, stderr=subprocess.DEVNULL).returncode != 0


def _link_dependencies(venv):
    environment = FreshEnvironment.__new__(FreshEnvironment)
    environment.bin = venv / "bin"
    (environment.packages,) = venv.glob("lib/python*/site-packages")
    for pattern in ("setuptools*", "pkg_resources", "_distutils_hack"):  # Of Python 3.11, too old.
        for directory in environment.packages.glob(pattern):
            shutil.rmtree(directory)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.extras_require"]["serve"].split()
    names = ["seq2seq-jax", *(Requirement(line).name for line in lines)]
    for name in names:
        for package in requirements(name):
            if package.name != "seq2seq-jax":
                environment.link(package)
    environment.link(distribution("setuptools"))


def _contained(command, environment, directory, scratch):
    """Start a process; as root on Linux, with a read-only file system and, if it can, as a user."""
    if os.getuid() == 0 and shutil.which("unshare") and shutil.which("setpriv"):
        scratch.chmod(0o777)
        for parent in [directory, *directory.parents]:
            if parent.name.startswith("pytest-"):  # These directories are private.
                parent.chmod(0o755)
        directory.chmod(0o755)
        user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups"]
        readable = [*user, str(directory / "venv" / "bin" / "python"), "-c", "import jax"]
        if subprocess.run(readable, stderr=subprocess.DEVNULL).returncode == 0:
            command = [*user, *command]
        mounts = f"mount --bind {scratch} {scratch} && mount -o remount,bind,ro / && exec "
        command = ["unshare", "--mount", "sh", "-c", mounts + shlex.join(command)]
    return subprocess.Popen(command, env=environment, cwd="/", stderr=subprocess.PIPE, text=True)
