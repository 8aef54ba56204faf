# The service in a container: docker build -t recon .
# With traces (RECON_TRACING): docker build -t recon --build-arg REQUIREMENTS=requirements-otel.lock .
#
# Runs as an ordinary user on a read-only tree; only /var/lib/recon is written to (embedded Postgres,
# when RECON_DATABASE_URL is not set). No compiler and no build tools in what is shipped, and no pip in
# the environment that the service runs from; the base image's own Python, which only root can write
# to, keeps its pip.
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Dependencies first: they change less often than the code.
ARG REQUIREMENTS=requirements.lock
COPY requirements.lock requirements-otel.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --quiet --only-binary :all: --require-hashes -r "$REQUIREMENTS" \
 && pip install --quiet --only-binary :all: --require-hashes -r requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY alembic alembic
COPY recon recon
RUN python -m hatchling build --target wheel --directory dist \
 && pip --python /opt/venv/bin/python install --quiet --no-deps --no-index dist/*.whl

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="recon" \
      org.opencontainers.image.description="Wallet reconciliation: PSP webhooks into a double-entry ledger, compared with the game's balances" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --gid 10001 recon \
 && useradd --uid 10001 --gid recon --home-dir /var/lib/recon --shell /usr/sbin/nologin recon \
 && install -d -o recon -g recon -m 0700 /var/lib/recon

COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RECON_DATA_DIR=/var/lib/recon/data

USER 10001:10001
WORKDIR /var/lib/recon
VOLUME /var/lib/recon
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["recon", "healthcheck"]
ENTRYPOINT ["recon"]
CMD ["serve", "--host", "0.0.0.0"]
