# The image of every role, from a static binary that was built already: the file `odd` of the context. `make image` does so.
# A release has THIRD-PARTY-NOTICES.txt.gz beside it, and nothing else is there.
FROM scratch
ARG VERSION=0.1.0
ARG COMMIT=unknown
ARG COMMIT_DATE=
LABEL org.opencontainers.image.title="odd" \
    org.opencontainers.image.description="Every role of the Distributed Task Observatory" \
    org.opencontainers.image.source="https://github.com/oddessentials/distributed-task-observatory" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}" \
    org.opencontainers.image.created="${COMMIT_DATE}"
COPY . /
USER 65532:65532
ENTRYPOINT ["/odd"]
