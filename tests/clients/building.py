"""Clients made by generators from the published contract, each with a small program that uses it.

A client is generated and compiled in a folder of its own. What it needs is looked for first. Where
something is missing, `Missing` says what, and how it is installed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = ROOT / "openapi" / "openapi.json"
PROGRAMS: Final = Path(__file__).parent / "programs"
ENVIRONMENT: Final = Path(sys.prefix)
GENERATORS: Final = ENVIRONMENT / "clients"
NODE_MODULES: Final = Path(__file__).parent / "node" / "node_modules"
DEBIAN_GO: Final = Path("/usr/share/gocode/src")
DEBIAN_JARS: Final = Path("/usr/share/java")
DEBIAN_CRATES: Final = Path("/usr/share/cargo/registry")
DEBIAN_RUST: Final = (Path("/usr/bin/cargo"), Path("/usr/bin/rustc"))
ANNOTATIONS: Final = ("geronimo-annotation-1.3-spec.jar", "jsr305.jar")
STEP_TIMEOUT_S: Final = 900.0
"""A step may take minutes on a machine that others use too. No test is about how long it takes."""

RUST_CRATES: Final = """\
[package]
name = "quotes_client"
version = "0.0.0"
edition = "2021"

[[bin]]
name = "quote"
path = "src/main.rs"

[lib]
path = "src/lib.rs"

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"
serde_repr = "0.1"
url = "2"
chrono = { version = "0.4", features = ["serde"] }

[dependencies.reqwest]
version = "0.11"
default-features = false
features = ["blocking", "json", "multipart"]
"""
"""The generated one asks for versions that are newer than Debian's."""
RUST_SOURCE: Final = f"""\
[source.crates-io]
replace-with = "debian"

[source.debian]
directory = "{DEBIAN_CRATES}"
"""
GO_MODULE: Final = "example.org/clients/runquote"
GO_VENDORED: Final = """\
# gopkg.in/validator.v2 v2.0.1
## explicit
gopkg.in/validator.v2
"""
JAVA_DATES: Final = ("RFC3339InstantDeserializer.java", "RFC3339JavaTimeModule.java")


class Missing(Exception):
    """Something that a client needs is not on this machine."""


class Client(NamedTuple):
    """A generated client: how it is made, and whether that takes seconds."""

    name: str
    build: Callable[[Path], list[str]]
    quick: bool = False


def run(command: list[str], *, at: Path, **environment: str) -> str:
    """What a command prints. Its errors are in the failure of the test."""
    done = subprocess.run(
        command,
        cwd=at,
        env=_clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=STEP_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"[-6000:]
    return done.stdout


def _clean_environment() -> dict[str, str]:
    """The caller's environment without what would lead Python to other modules."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def program(name: str, hint: str) -> str:
    """The path of a program of the machine."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed; tried: which {name}; {hint}")
    return found


def there(path: Path, hint: str) -> Path:
    """A path that has to exist."""
    if not path.exists():
        raise Missing(f"{path} does not exist; {hint}")
    return path


def generated(generator: str, at: Path, *options: str) -> None:
    """What OpenAPI Generator makes of the contract. It runs on Java."""
    program("java", "apt-get install default-jre-headless")
    tool = there(GENERATORS / "bin" / "openapi-generator-cli", "make clients")
    command = [str(tool), "generate", "-g", generator, "-i", str(CONTRACT), "-o", "."]
    run([*command, *options], at=at)


def copied(client: str, name: str, to: Path) -> None:
    """The program that uses a client, beside what was generated."""
    to.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROGRAMS / client / name, to / name)


def go(at: Path) -> list[str]:
    """A Go module, with the one library that it needs from Debian."""
    compiler = program("go", "apt-get install golang-go")
    library = there(
        DEBIAN_GO / "gopkg.in" / "validator.v2", "apt-get install golang-gopkg-validator.v2-dev"
    )
    host, user, repository = GO_MODULE.split("/")
    names = ("--git-host", host, "--git-user-id", user, "--git-repo-id", repository)
    generated("go", at, *names, "--package-name", "runquote")
    shutil.rmtree(at / "test", ignore_errors=True)
    # The module asks for a later Go than Debian's, and uses nothing of it.
    version = re.findall(r"go(\d+\.\d+)", run([compiler, "env", "GOVERSION"], at=at))[0]
    module = re.sub(r"(?m)^go .*$", f"go {version}", (at / "go.mod").read_text())
    (at / "go.mod").write_text(module)
    shutil.copytree(library, at / "vendor" / "gopkg.in" / "validator.v2")
    (at / "vendor" / "modules.txt").write_text(GO_VENDORED)
    copied("go", "main.go", at / "quote")
    offline = {"GOFLAGS": "-mod=vendor", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    run([compiler, "build", "-o", "quote.out", "./quote"], at=at, **offline)
    return [str(at / "quote.out")]


def node() -> str:
    """Node, which comes in a wheel."""
    return str(there(ENVIRONMENT / "node" / "bin" / "node", "make clients"))


def package(name: str) -> Path:
    """The program of an npm package."""
    return there(NODE_MODULES / name, "make clients")


def compiled(at: Path, *options: str) -> None:
    """TypeScript, checked in every respect and compiled."""
    (at / "node_modules").symlink_to(there(NODE_MODULES, "make clients"))
    checks = ["--strict", "--target", "es2022", "--outDir", "out"]
    run([node(), str(package("typescript/bin/tsc")), *checks, *options, "main.ts"], at=at)


def typescript_fetch(at: Path) -> list[str]:
    """The client of OpenAPI Generator for browsers and Node."""
    client = at / "client"
    client.mkdir()
    generated("typescript-fetch", client)
    copied("typescript_fetch", "main.ts", at)
    compiled(at, "--module", "commonjs", "--moduleResolution", "node10")
    return [node(), str(at / "out" / "main.js")]


def openapi_typescript(at: Path) -> list[str]:
    """Types of openapi-typescript, used by openapi-fetch."""
    tool = package("openapi-typescript/bin/cli.js")
    run([node(), str(tool), str(CONTRACT), "-o", "schema.ts"], at=at)
    copied("openapi_typescript", "main.ts", at)
    (at / "package.json").write_text('{"type": "module"}\n')
    compiled(at, "--module", "nodenext", "--moduleResolution", "nodenext")
    return [node(), str(at / "out" / "main.js")]


def python() -> str:
    """The Python that has the generators, and what their clients import."""
    return str(there(GENERATORS / "bin" / "python", "make clients"))


def python_of_openapi_generator(at: Path) -> list[str]:
    """The client of OpenAPI Generator for Python."""
    generated("python", at)
    copied("python", "main.py", at)
    return [python(), str(at / "main.py")]


def openapi_python_client(at: Path) -> list[str]:
    """The client of openapi-python-client."""
    there(Path(python()), "make clients")
    # The generator looks for ruff on the path, and comes with it.
    path = f"{GENERATORS / 'bin'}{os.pathsep}{os.environ['PATH']}"
    options = ["--meta", "none", "--output-path", "quotes_client"]
    command = ["openapi-python-client", "generate", "--path", str(CONTRACT), *options]
    run([str(GENERATORS / "bin" / command[0]), *command[1:]], at=at, PATH=path)
    copied("openapi_python_client", "main.py", at)
    return [python(), str(at / "main.py")]


def datamodel(at: Path) -> list[str]:
    """Models of datamodel-code-generator, sent by httpx."""
    there(Path(python()), "make clients")
    tool = GENERATORS / "bin" / "datamodel-codegen"
    kind = ["--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel"]
    form = ["--formatters", "builtin", "--output", "models.py"]
    run([str(tool), "--input", str(CONTRACT), *kind, *form], at=at)
    copied("datamodel", "main.py", at)
    return [python(), str(at / "main.py")]


def java(at: Path) -> list[str]:
    """The client of OpenAPI Generator on Java's own HTTP client.

    Jackson is the one inside the generator. Its module for dates is in no registry that is reached,
    so dates stay text, and the two lines that would load the module go.
    """
    compiler = program("javac", "apt-get install default-jdk-headless")
    packages = "apt-get install libgeronimo-annotation-1.3-spec-java libjsr305-java"
    jars = [there(DEBIAN_JARS / name, packages) for name in ANNOTATIONS]
    # Otherwise the client sends empty lists for those that are left out, and an empty `after` says
    # that a stage waits for none.
    choices = "library=native,openApiNullable=false,containerDefaultToNull=true"
    options = ("--additional-properties", choices)
    generated("java", at, *options, "--type-mappings", "OffsetDateTime=String")
    sources = at / "src" / "main" / "java"
    for dated in sources.rglob("RFC3339*.java"):
        if dated.name in JAVA_DATES:
            dated.unlink()
    (entry,) = sources.rglob("ApiClient.java")
    lines = entry.read_text().splitlines()
    entry.write_text("\n".join(line for line in lines if "JavaTimeModule" not in line))
    copied("java", "Main.java", sources)
    jars += GENERATORS.rglob("openapi-generator.jar")
    path = os.pathsep.join(map(str, jars))
    (at / "files").write_text("\n".join(map(str, sources.rglob("*.java"))))
    run([compiler, "-nowarn", "-proc:none", "-d", "out", "-cp", path, "@files"], at=at)
    classes = os.pathsep.join([str(at / "out"), path])
    return [program("java", "apt-get install default-jre-headless"), "-cp", classes, "Main"]


def rust(at: Path) -> list[str]:
    """The client of OpenAPI Generator on reqwest, with Debian's crates and Debian's compiler.

    Another cargo on the path may be newer than the crates, or a launcher without a compiler.
    """
    cargo, rustc = (there(tool, "apt-get install cargo") for tool in DEBIAN_RUST)
    there(DEBIAN_CRATES, "apt-get install librust-reqwest-dev librust-chrono-dev")
    generated("rust", at, "--additional-properties", "supportAsync=false")
    (at / "Cargo.toml").write_text(RUST_CRATES)
    (at / ".cargo").mkdir()
    (at / ".cargo" / "config.toml").write_text(RUST_SOURCE)
    copied("rust", "main.rs", at / "src")
    # What it depends on is compiled once.
    target = ROOT / ".cache" / "clients" / "cargo"
    places = {"CARGO_TARGET_DIR": str(target), "RUSTC": str(rustc)}
    run([str(cargo), "build", "--offline", "--quiet"], at=at, **places)
    return [str(target / "debug" / "quote")]


CLIENTS: Final = (
    Client("openapi-python-client", openapi_python_client, quick=True),
    Client("datamodel-code-generator", datamodel, quick=True),
    Client("openapi-generator-python", python_of_openapi_generator),
    Client("openapi-generator-go", go),
    Client("openapi-generator-typescript-fetch", typescript_fetch),
    Client("openapi-typescript", openapi_typescript),
    Client("openapi-generator-java", java),
    Client("openapi-generator-rust", rust),
)


def chosen(*, quick: bool) -> Iterator[Client]:
    """The clients that are made in seconds, or the others."""
    return (client for client in CLIENTS if client.quick == quick)
