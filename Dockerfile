FROM rust:1.95.0-bookworm AS build
# librdkafka and the OpenSSL inside it are built from source.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make perl pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Dependencies and objects stay between builds; the program leaves the cache with the copy.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin dmstream \
    && cp target/release/dmstream /usr/local/bin/dmstream

FROM debian:12.12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 dmstream \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin dmstream \
    && install --directory --owner 10001 --group 10001 --mode 0750 /data
COPY --from=build /usr/local/bin/dmstream /usr/local/bin/dmstream
# By number, so that a cluster that demands a user other than root can see that it is one.
USER 10001:10001
WORKDIR /data
ENV DMSTREAM_LISTEN=0.0.0.0:8080 DMSTREAM_DATA_DIR=/data
VOLUME ["/data"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["dmstream", "health"]
ENTRYPOINT ["dmstream"]
CMD ["run"]
