# One image for every process of ours; which one is the command: worker, board, gateway, topics, ...
FROM python:3.12.8-slim-bookworm AS build
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml README.md ./
COPY funnelwatch funnelwatch
COPY native native
COPY schemas schemas
COPY streams streams
COPY agents agents
RUN uv build --wheel --out-dir /wheels \
 && uv venv /opt/funnelwatch \
 && uv pip install --python /opt/funnelwatch/bin/python --no-cache "$(echo /wheels/*.whl)[mysql]"

FROM python:3.12.8-slim-bookworm
LABEL org.opencontainers.image.title="Funnelwatch" \
      org.opencontainers.image.description="Exact, live sales KPIs per rep from CRM and telephone events"
RUN groupadd --gid 10001 funnelwatch \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin funnelwatch \
 && install -d -o 10001 -g 10001 /var/lib/funnelwatch \
 && install -d -o 65534 -g 65534 /etc/alertmanager
COPY --from=build /opt/funnelwatch /opt/funnelwatch
ENV PATH=/opt/funnelwatch/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/funnelwatch
EXPOSE 8080 8081 8082
ENTRYPOINT ["funnelwatch"]
CMD ["--help"]
