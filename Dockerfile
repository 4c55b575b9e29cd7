# Gatehouse in a container, with the site file of the compound (it is imported once, into an empty /data):
#   docker build -t gatehouse .
#   docker run -d --init --restart=always -v gatehouse:/data -v ./site.yaml:/site.yaml:ro -e GATEHOUSE_SITE=/site.yaml \
#     -p 8443:8443 -p 8081:8081 -p 8883:8883 gatehouse
# The log shows the one-time set-up code. Serial lines: add --device /dev/ttyUSB0 --group-add dialout.
# The demo compound shows itself on loopback only: docker run --rm --init --network host -e GATEHOUSE_HTTP=127.0.0.1:8080
#   -e GATEHOUSE_DEVICES=127.0.0.1:8081 -e GATEHOUSE_MQTT=127.0.0.1:1883 gatehouse

FROM node:24-bookworm-slim AS booth
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY runtime runtime
RUN node node_modules/vite/bin/vite.js build --config runtime/booth/vite.config.ts

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=1048576 \
    NODE_COMPILE_CACHE=/data/cache \
    GATEHOUSE_DATA=/data \
    GATEHOUSE_HTTP=0.0.0.0:8443 \
    GATEHOUSE_DEVICES=0.0.0.0:8081 \
    GATEHOUSE_MQTT=0.0.0.0:8883
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE ./
COPY drivers drivers
COPY firmware-profiles firmware-profiles
COPY flows flows
COPY nodes nodes
COPY runtime runtime
COPY --from=booth /app/runtime/booth/dist runtime/booth/dist
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin gatehouse \
    && install -d -m 0700 -o gatehouse /data
USER gatehouse
VOLUME /data
EXPOSE 8443 8081 8883
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["node", "runtime/boot/health.mjs"]
CMD ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=8", "runtime/main.ts"]
