# One image for everything: the harness, its workers, the shop and the payment vendor. See docs/containers.md.

FROM python:3.13.7-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.8
ENV UV_PROJECT_ENVIRONMENT=/opt/harness \
    UV_PYTHON=/usr/local/bin/python3.13 \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1
WORKDIR /build
# uv.toml pins every version. Dependencies come first, so that a change of the code alone builds in seconds.
COPY pyproject.toml uv.toml README.md LICENSE ./
RUN uv sync --no-dev --extra postgresql --extra redis --no-install-project
COPY harness harness
COPY profiles profiles
RUN uv sync --no-dev --extra postgresql --extra redis --no-editable

FROM python:3.13.7-slim-bookworm
RUN useradd --uid 1000 --create-home harness
COPY --from=build /opt/harness /opt/harness
# A process that is not root gets SYS_PTRACE in a container only through the program's file. This is
# `setcap cap_sys_ptrace+ep`, which the slim image lacks (revision 2, effective, bit 19: linux/capability.h).
RUN ["python", "-c", "import os, struct; os.setxattr('/opt/harness/bin/py-spy', 'security.capability', struct.pack('<5I', 0x02000001, 1 << 19, 0, 0, 0))"]
ENV PATH=/opt/harness/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /work
COPY profiles profiles
COPY scenarios scenarios
RUN install -d -o harness -g harness reports
USER 1000:1000
ENTRYPOINT ["harness"]
CMD ["--help"]
