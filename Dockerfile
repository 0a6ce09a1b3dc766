# The service on the CPU, without a compiler, as a user without rights, on a read-only file system:
#
#   docker build --tag seq2seq-jax .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --publish 127.0.0.1:8000:8000 \
#     --volume "$PWD/runs/g2p:/model:ro" seq2seq-jax
#
# docs/service.md says more. Image models need EXTRAS=serve,images.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG EXTRAS=serve
WORKDIR /source
COPY setup.py setup.cfg pyproject.toml README.md LICENSE ./
COPY configs configs
COPY seq2seq_jax seq2seq_jax
RUN python -m venv /opt/venv
RUN /opt/venv/bin/pip install --no-cache-dir ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/venv /opt/venv
# What is compiled is kept in /tmp, the only directory that is written.
ENV PATH=/opt/venv/bin:$PATH \
    JAX_PLATFORMS=cpu \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SEQ2SEQ_JAX_CACHE=/tmp/seq2seq_jax
WORKDIR /
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5m --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
ENTRYPOINT ["seq2seq-jax", "serve", "--host=0.0.0.0", "--port=8000"]
CMD ["--workdir=/model"]
