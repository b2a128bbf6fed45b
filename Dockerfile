# syntax=docker/dockerfile:1

# Any image with Python 3.11 or newer and its venv; name a digest here to pin what a release is built on.
ARG BASE=python:3.13-slim-bookworm


FROM ${BASE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1

# Two environments: one that builds, and one that is shipped and holds nothing but what runs.
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/runquote

WORKDIR /source
COPY requirements/run.txt requirements/build.txt requirements/
# A mirror is named, if need be, by the secret `pip`: docker build --secret id=pip,src=pip.conf
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /build/bin/python -m pip install --require-hashes --requirement requirements/build.txt \
    && /build/bin/python -m pip --python /opt/runquote/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements/run.txt

COPY pyproject.toml README.md LICENSE ./
COPY openapi openapi
COPY docs docs
COPY service service
RUN /build/bin/python -m pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/python -m pip --python /opt/runquote/bin/python install \
        --no-index --no-deps /wheels/*.whl


FROM ${BASE} AS bare

# What installs software has no place where software only runs.
RUN ["python3", "-I", "-c", "import pathlib, shutil, sysconfig\n\
libraries = {pathlib.Path(sysconfig.get_path(name)) for name in ('stdlib', 'purelib')}\n\
for library in libraries:\n\
    for name in ('ensurepip', 'pip', 'setuptools', 'wheel'):\n\
        for found in (library / name, *library.glob(f'{name}-*.dist-info')):\n\
            shutil.rmtree(found, ignore_errors=True)\n\
for command in pathlib.Path(sysconfig.get_path('scripts')).glob('pip*'):\n\
    command.unlink()\n"]


FROM bare

ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="runquote" \
      org.opencontainers.image.description="Itemised, sourced, reproducible quotes for the cost of AI training runs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

COPY --from=build /opt/runquote /opt/runquote

# It listens for other machines, so it starts with keys (RUNQUOTE_KEYS_FILE) or where RUNQUOTE_OPEN=1 says
# that anybody may ask.
ENV PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    RUNQUOTE_HOST=0.0.0.0 \
    RUNQUOTE_PORT=8000

USER 65532:65532
WORKDIR /
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/opt/runquote/bin/python", "-I", "-c", "import http.client, os, sys\n\
host = os.environ['RUNQUOTE_HOST']\n\
host = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host)\n\
service = http.client.HTTPConnection(host, int(os.environ['RUNQUOTE_PORT']), timeout=2)\n\
service.request('GET', '/livez')\n\
sys.exit(service.getresponse().status != 200)"]

ENTRYPOINT ["/opt/runquote/bin/python", "-I", "-m", "service"]
CMD ["serve"]
