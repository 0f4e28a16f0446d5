FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE hatch_build.py schema.graphql ./
COPY gateway gateway
COPY resolvers resolvers
COPY rest_compat rest_compat
COPY enrichment enrichment
COPY database database
COPY web web
# Builds the pages too, with a Node of its own; --build-arg GATEWAY_WEB=off leaves them out.
ARG GATEWAY_WEB=on
RUN pip install --no-cache-dir --disable-pip-version-check --prefix /installed --constraint constraints.txt .

FROM python:3.13-slim
COPY --from=build /installed /usr/local
RUN useradd --system --no-create-home --uid 10001 gateway
USER 10001
ENV HOST=0.0.0.0 PORT=8000 PYTHONUNBUFFERED=1
EXPOSE 8000
# Alive, not ready: a new container would not bring a database back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-I", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve"]
