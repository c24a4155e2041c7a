# `serve` in a container. The team's ledger is chosen by COST_AWARE_ROUTER_LEDGER; compose.yaml has it with PostgreSQL.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY . .
RUN npm run setup

FROM node:24-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools tools
RUN npm install --omit=dev --no-save
COPY --from=build /app/dist dist
COPY models models
COPY l10n l10n
# 1000 is the image's own user `node`; by number, so that a cluster can see that it is not root.
RUN mkdir /data && chown 1000:1000 /data
USER 1000:1000
VOLUME /data
ENV COST_AWARE_ROUTER_DATA_DIR=/data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5000/health').then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
# As the first line of the command line has it, so that a long run stays small.
ENTRYPOINT ["node", "--max-semi-space-size=8", "--initial-old-space-size=32", "dist/cli.js"]
CMD ["serve", "--host", "0.0.0.0", "--allow-remote"]
