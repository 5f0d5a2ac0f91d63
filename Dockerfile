# Images of Hearth for amd64 and arm64: `docker build -t hearth .`, with a GPU `docker build --target vulkan -t hearth:vulkan .`
# or `--target cuda`. docs/container.md says how they are run.
ARG DEBIAN=docker.io/library/debian:bookworm-slim
# Mesa 22 of Debian 12 does not know today's small Intel GPUs.
ARG DEBIAN_VULKAN=docker.io/library/debian:trixie-slim
# CUDA 12 runs on the drivers that NAS systems ship; 13 does not.
ARG CUDA=docker.io/nvidia/cuda:12.6.3-base-ubuntu22.04

# --- What is installed. Debian's npm only brings one of today: on its Node 18 the binaries of llama.cpp would be left out.
FROM ${DEBIAN} AS install
# Where the network has a certificate of its own: its file, mounted into the build.
ARG NODE_EXTRA_CA_CERTS=
RUN apt-get update \
 && apt-get install -y --no-install-recommends npm ca-certificates binutils \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && npm install --prefix /opt/tools --no-audit --no-fund node@24.21.0 npm@11.19.1
ENV PATH=/opt/tools/node_modules/.bin:$PATH
WORKDIR /opt/hearth
COPY package.json package-lock.json .npmrc ./
COPY patches patches
COPY scripts/require-installer.mjs scripts/build-page.mjs scripts/
RUN npm ci

# --- The page for people at /ui.
FROM install AS page
COPY tsconfig.json ./
COPY scripts/require-node.mjs scripts/
COPY src src
COPY ui ui
RUN npm run build:ui

# --- Faster kernels for all processors of this architecture; `--build-arg KERNELS=library` keeps the library's own.
FROM install AS kernels
ARG KERNELS=all
COPY scripts scripts
COPY src src
COPY models models
RUN if [ "$KERNELS" = all ]; then \
      apt-get update \
   && apt-get install -y --no-install-recommends clang cmake make git \
   && npm run build:kernels -- --all \
   && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; \
    fi

# --- The files of each image.
FROM kernels AS cpu-files
COPY docker docker
RUN docker/prune.sh cpu
COPY --from=page /opt/hearth/ui/dist ui/dist
COPY hearth hearth.schema.json hearth.example.yaml LICENSE ./

FROM kernels AS vulkan-files
COPY docker docker
RUN docker/prune.sh vulkan
COPY --from=page /opt/hearth/ui/dist ui/dist
COPY hearth hearth.schema.json hearth.example.yaml LICENSE ./

FROM kernels AS cuda-files
COPY docker docker
RUN docker/prune.sh cuda
COPY --from=page /opt/hearth/ui/dist ui/dist
COPY hearth hearth.schema.json hearth.example.yaml LICENSE ./

# --- vulkan: integrated and AMD GPUs, through /dev/dri.
FROM ${DEBIAN_VULKAN} AS vulkan
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 libvulkan1 mesa-vulkan-drivers tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=vulkan-files /opt/hearth /opt/hearth
RUN /opt/hearth/docker/setup.sh
ENV HEARTH_IMAGE=1 HEARTH_HOST=0.0.0.0 HEARTH_PORT=8000 HEARTH_MODELS=/models HEARTH_DATA=/data UV_USE_IO_URING=0
VOLUME ["/models", "/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/hearth/docker/health.sh"]
ENTRYPOINT ["tini", "-s", "--", "/opt/hearth/docker/entrypoint.sh"]
CMD ["serve"]

# --- cuda: NVIDIA GPUs. The driver's own library comes from the host.
FROM ${CUDA} AS cuda
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 libcublas-12-6 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=cuda-files /opt/hearth /opt/hearth
RUN /opt/hearth/docker/setup.sh
ENV HEARTH_IMAGE=1 HEARTH_HOST=0.0.0.0 HEARTH_PORT=8000 HEARTH_MODELS=/models HEARTH_DATA=/data UV_USE_IO_URING=0 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64:/usr/local/cuda/lib64
VOLUME ["/models", "/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/hearth/docker/health.sh"]
ENTRYPOINT ["tini", "-s", "--", "/opt/hearth/docker/entrypoint.sh"]
CMD ["serve"]

# --- cpu: the image that is built when none is named.
FROM ${DEBIAN} AS cpu
LABEL org.opencontainers.image.title="Hearth" \
      org.opencontainers.image.description="Local-inference server for a NAS or another small machine" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=cpu-files /opt/hearth /opt/hearth
RUN /opt/hearth/docker/setup.sh
ENV HEARTH_IMAGE=1 HEARTH_HOST=0.0.0.0 HEARTH_PORT=8000 HEARTH_MODELS=/models HEARTH_DATA=/data UV_USE_IO_URING=0
VOLUME ["/models", "/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/hearth/docker/health.sh"]
ENTRYPOINT ["tini", "-s", "--", "/opt/hearth/docker/entrypoint.sh"]
CMD ["serve"]
