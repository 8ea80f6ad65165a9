# The image of the services `upstream` and `bench` in docker-compose.yml: packages, twins, harness.

# This stage changes seldom: all packages, with the versions and hashes of the lock.
FROM python:3.13-slim-trixie AS packages
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    apt-get update -qq && apt-get install -qq --no-install-recommends binutils > /dev/null
COPY requirements-run.lock /tmp/
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /venv && \
    pip --disable-pip-version-check --cache-dir /var/cache/pip --python /venv/bin/python install --quiet --no-compile \
        --require-hashes --only-binary :all: --requirement /tmp/requirements-run.lock
# A third of the files is useless here: tests, C sources, debug symbols, and the parts of Arrow that
# talk to other machines. `strip` breaks the libraries that a wheel brings in NAME.libs and the modules
# that use them, so it is applied only to packages without such libraries.
RUN cd /venv/lib/python3*/site-packages && \
    find . -type d '(' -name tests -o -name test ')' -prune -exec rm -r {} + && \
    find . -type f -regex '.*\.\(c\|h\|hpp\|pxd\|pxi\|pyi\|pyx\|f90\)' -delete && \
    rm -f pyarrow/*flight* pyarrow/libarrow_s3.* pyarrow/libarrow_python*.so pyarrow/*.so.*.1.0 && \
    find _brotli*.so aiohttp asyncpg fontTools kiwisolver msgpack multidict pyarrow sqlalchemy uvloop yaml \
        -name '*.so*' -exec strip --strip-unneeded {} + && \
    # Compile as `make install` does, except what nobody imports here. A few packages ship files for
    # other versions of Python, which don't compile.
    (/venv/bin/python -m compileall -q -j 0 -x '/(fontTools|narwhals|pygments/lexers)/' . > /dev/null || true)

# This stage changes often: our own code, which is only copied.
FROM python:3.13-slim-trixie
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=packages /venv /venv
WORKDIR /app
COPY apps apps
COPY scenarios scenarios
COPY harness harness
RUN python -m compileall -q .
# The commit for run.json, because there is no .git in the image.
ARG COMMIT=""
ENV TWINBENCH_COMMIT=$COMMIT
USER 1000:1000
ENTRYPOINT ["python", "-m", "harness.container"]
CMD ["run"]
