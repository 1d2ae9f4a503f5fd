"""A real S3 server in a process of its own on loopback, with one bucket; and a wire to it that can break."""

import contextlib
import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading

import boto3

BUCKET = "homes"
FIRST_ACTIONS = 4  # that need no right: making the user, its keys and policy, and the bucket


class ObjectStore:
    """`url(prefix)` is a home on it; `keys` are those it takes, where it asks for any."""

    def __init__(self, *, ask_for_keys=False):
        environment = {**os.environ, **({"INITIAL_NO_AUTH_ACTION_COUNT": str(FIRST_ACTIONS)} if ask_for_keys else {})}
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
        for line in self.process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:([0-9]+)", line):
                self.port = int(found[1])
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()  # else its log fills the pipe
        self.keys = self._make_user() if ask_for_keys else ("any", "keys")
        self.client("s3").create_bucket(Bucket=BUCKET)

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=self.keys[0] if hasattr(self, "keys") else "first",
            aws_secret_access_key=self.keys[1] if hasattr(self, "keys") else "first",
        )

    def _make_user(self):
        iam = self.client("iam")
        iam.create_user(UserName="user")
        made = iam.create_access_key(UserName="user")["AccessKey"]
        allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName="user", PolicyName="all", PolicyDocument=policy)
        return made["AccessKeyId"], made["SecretAccessKey"]

    def url(self, prefix, *, bucket=BUCKET, port=None):
        return f"s3://{bucket}/{prefix}?endpoint_override=127.0.0.1:{port or self.port}&scheme=http"

    def objects(self, prefix):
        """Name below the prefix -> bytes."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        names = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return {name.removeprefix(f"{prefix}/"): s3.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names if name[-1] != "/"}

    def put(self, name, content):
        self.client("s3").put_object(Bucket=BUCKET, Key=name, Body=content)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


@contextlib.contextmanager
def object_store(**options):
    store = ObjectStore(**options)
    try:
        yield store
    finally:
        store.kill()


@contextlib.contextmanager
def breaking_wire(store, breaks):
    """The port of a wire to `store` that answers 500 to each request for which `breaks(method, path)`; all others go through."""

    class Wire(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if breaks(self.command, self.path):
                self._answer(500, {}, b"")
                return
            there = http.client.HTTPConnection("127.0.0.1", store.port)
            there.request(self.command, self.path, body, dict(self.headers.items()))
            got = there.getresponse()
            headers = {name: value for name, value in got.getheaders() if name.lower() not in ("connection", "transfer-encoding")}
            self._answer(got.status, headers, got.read())
            there.close()

        def _answer(self, status, headers, body):
            self.send_response(status)
            for name, value in {**headers, **({} if self.command == "HEAD" else {"Content-Length": str(len(body))})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wire)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
