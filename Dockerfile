# docker build -t cropper .                    the service; --target shell: the commands
# docker run --rm -v "$PWD:/photos" -u "$(id -u):$(id -g)" cropper:shell best photo.jpg
# docker run -p 8000:8000 -e CROPPER_TOKEN="$(openssl rand -hex 16)" cropper
# Crops on a CPU, without PyTorch: no training, no `score`, `rank` and `map`.

FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/cropper \
    && /opt/cropper/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.12-slim AS shell
COPY --from=build /opt/cropper /opt/cropper
RUN useradd --no-log-init --create-home --uid 10001 cropper
ENV PATH=/opt/cropper/bin:$PATH
USER 10001
WORKDIR /photos
ENTRYPOINT ["cropper"]
CMD ["--help"]

FROM shell AS serve
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
